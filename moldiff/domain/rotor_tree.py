"""The tree of rotors: the parent of each rotor, and the order in which motions compose."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

__all__ = ["levels_of", "parents_of"]


def parents_of(axis: Int[Tensor, "r 2"], moves: Bool[Tensor, "r n"]) -> list[int]:
    """Return each rotor's parent rotor or -1, after checking for a root-first tree."""
    rows, atoms = moves.tolist(), axis.tolist()
    parents = []
    for k, (a, b) in enumerate(atoms):
        ancestors = [j for j in range(k) if rows[j][a]]
        sets = {j: {i for i, m in enumerate(rows[j]) if m} for j in range(k + 1)}
        nested = all(
            sets[k] < sets[j] if j in ancestors else not sets[k] & sets[j] for j in range(k)
        )
        if rows[k][a] or not rows[k][b] or not nested:
            raise ValueError(
                f"rotor {k} (atoms {a}, {b}) breaks the root-first tree: it must move b and not a, "
                "and what it moves must lie inside its ancestors' moving sets, listed before it"
            )
        parents.append(max(ancestors, default=-1))
    return parents


def levels_of(
    parents: list[int], device: torch.device
) -> tuple[tuple[tuple[Tensor, Tensor], ...], Tensor]:
    """Return rotors by depth with their parents' places one level up, and fragment -> place."""
    depth: list[int] = []
    for parent in parents:
        depth.append(0 if parent < 0 else depth[parent] + 1)
    members = [[k for k, d in enumerate(depth) if d == level] for level in sorted(set(depth))]
    levels, previous = [], [-1]
    for level in members:
        places = [previous.index(parents[k]) for k in level]
        levels.append((torch.tensor(level, device=device), torch.tensor(places, device=device)))
        previous = level
    order = [-1, *(k for level in members for k in level)]
    slot = torch.tensor([order.index(k) for k in range(-1, len(parents))], device=device)
    return tuple(levels), slot
