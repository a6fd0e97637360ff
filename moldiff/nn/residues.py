"""The inputs of networks of protein chains: what is given of residues, raw and encoded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Keys", "Residues", "Surroundings", "SurroundingsState"]


@dataclass(frozen=True, eq=False)
class Residues:
    """What is given of n residues in each of g groups of graphs.

    Attributes
    ----------
    types:
        (g, n) int64 amino acids, see `moldiff.protein.backbone`.
    places:
        (g, n) int64 places in the chain; those of another chain are far away.
    """

    types: Int[Tensor, "g n"]
    places: Int[Tensor, "g n"]

    def to(self, device: torch.device | str) -> Residues:
        """Return the residues on a device."""
        return Residues(self.types.to(device), self.places.to(device))

    def repeated(self, graphs: int) -> Residues:
        """Return the residues of each of some graphs, whose groups follow one another."""
        return Residues(_repeated(self.types, graphs), _repeated(self.places, graphs))


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The m residues around each of g gaps, which stay where they are.

    Attributes
    ----------
    residues:
        Their amino acids and places.
    positions:
        (g, m, 3) C-alpha in Å.
    frames:
        (g, m, 3, 3) rotations, see `moldiff.protein.backbone`.
    """

    residues: Residues
    positions: Float[Tensor, "g m 3"]
    frames: Float[Tensor, "g m 3 3"]

    def to(self, device: torch.device | str) -> Surroundings:
        """Return the surroundings on a device."""
        return Surroundings(
            self.residues.to(device), self.positions.to(device), self.frames.to(device)
        )

    def repeated(self, graphs: int) -> Surroundings:
        """Return the surroundings of each of some graphs."""
        positions, frames = _repeated(self.positions, graphs), _repeated(self.frames, graphs)
        return Surroundings(self.residues.repeated(graphs), positions, frames)


@dataclass(frozen=True, eq=False)
class Keys:
    """What a layer shows of residues to those that attend to them, (g, m, ...).

    Attributes
    ----------
    scalars:
        Keys, values and terms of pairs, side by side.
    points:
        (g, m, heads, points, 3) in Å: the first is a key, the others are values.
    """

    scalars: Float[Tensor, "g m d"]
    points: Float[Tensor, "g m heads points 3"]

    def repeated(self, graphs: int) -> Keys:
        """Return what is shown to each of some graphs."""
        return Keys(_repeated(self.scalars, graphs), _repeated(self.points, graphs))

    def joined(self, others: Keys) -> Keys:
        """Return what is shown of these residues, and then of others."""
        scalars = torch.cat([self.scalars, others.scalars], 1)
        return Keys(scalars, torch.cat([self.points, others.points], 1))


@dataclass(frozen=True, eq=False)
class SurroundingsState:
    """Encoded surroundings: the input, and what every layer shows of them."""

    surroundings: Surroundings
    layers: tuple[Keys, ...]


def _repeated(value: Tensor, graphs: int) -> Tensor:
    if len(value) == graphs:
        return value
    return value.repeat_interleave(graphs // len(value), 0)
