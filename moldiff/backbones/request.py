"""What is wanted of backbones: how long they are, and what is told of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from moldiff.backbones.blueprints import drawn
from moldiff.backbones.motif import Motif, spread
from moldiff.backbones.start import LONGEST, SHORTEST, Start
from moldiff.domain import chains
from moldiff.errors import InputError
from moldiff.protein.secondary import HIDDEN, STATES, secondary
from moldiff.seeds import generator, integer
from moldiff.text import ends

__all__ = ["FREE", "Plan", "lengths_of", "plans_of"]

FREE = "free"
"""The secondary structure of chains that are told none."""


class Plan(NamedTuple):
    """What is told of one backbone of n residues.

    ``states`` (n,) is the secondary structure wanted; ``layout`` (n,) the residue of the motif at
    each place, or -1.
    """

    states: npt.NDArray[np.int64]
    layout: npt.NDArray[np.int64]


def plans_of(
    n: int,
    length: int | str | tuple[int, int] | None,
    structure: str | None,
    start: Start | None,
    motif: Motif | None,
    seed: int,
) -> list[Plan]:
    """Return the plan of each of n backbones, which depends on its number and the seed.

    For the arguments see `moldiff.backbone`.
    """
    if motif is not None:
        return _around(n, length, structure, motif, seed)
    if start is None and (structure is None or structure == FREE):
        low, high = lengths_of((chains.SHORTEST, chains.LONGEST) if length is None else length)
        return [_drawn(low, high, structure == FREE, generator(seed, k, 0)) for k in range(n)]
    if length is not None:
        raise InputError(
            "The length is that of the secondary structure or the chain given.",
            fix="Leave --length out.",
        )
    if start is not None and structure in (None, FREE):
        states = secondary(start.atoms)
        return [_plain(states if structure is None else np.full_like(states, HIDDEN))] * n
    states = _states(structure or "")
    if start is not None:
        _check_letters(len(states), len(start.atoms), "the chain")
    return [_plain(states)] * n


def _drawn(low: int, high: int, free: bool, rng: torch.Generator) -> Plan:
    """A plan with a secondary structure drawn as proteins have them, or none."""
    size = integer(low, high, rng=rng)
    return _plain(np.full(size, HIDDEN) if free else drawn(size, rng=rng))


def _around(
    n: int,
    length: int | str | tuple[int, int] | None,
    structure: str | None,
    motif: Motif,
    seed: int,
) -> list[Plan]:
    """Plans with the secondary structure that the motif has, and what is asked for around."""
    shortest, longest = motif.lengths
    low, high = (SHORTEST, LONGEST) if length is None else lengths_of(length)
    if longest < low or shortest > high:
        raise InputError(
            f"The contig makes chains of {spread(shortest, longest)} residues, not of "
            f"{spread(low, high)}.",
            fix="Change the numbers of new residues, or --length.",
        )
    states = None
    if structure is not None and structure != FREE:
        if shortest < longest:
            raise InputError(
                "A secondary structure needs a contig that says how many residues are new.",
                fix="Write numbers instead of ranges: 15/A12-30/20.",
            )
        states = _states(structure)
        _check_letters(len(states), shortest, "the contig")
    plans = []
    for k in range(n):
        layout = motif.layout(low, high, rng=generator(seed, k, 0))
        visible = np.full(len(layout), HIDDEN) if states is None else states.copy()
        if structure != FREE:
            visible[layout >= 0] = motif.states[layout[layout >= 0]]
        plans.append(Plan(visible, layout))
    return plans


def _plain(states: npt.NDArray[np.int64]) -> Plan:
    return Plan(states, np.full(len(states), -1))


def _check_letters(letters: int, residues: int, what: str) -> None:
    if letters != residues:
        raise InputError(
            f"The secondary structure has {letters} letters, {what} {residues} residues.",
            fix="Give a letter of H, E, C or ? for each residue.",
        )


def lengths_of(text: int | str | tuple[int, int]) -> tuple[int, int]:
    """Return the least and the largest number of residues of ``70``, ``"60-80"`` or a pair.

    Raises
    ------
    InputError
        If it is neither, or chains of that length are not drawn.
    """
    if isinstance(text, tuple):
        low, high = text
    else:
        words = ends(str(text))
        if not all(word.isdecimal() for word in words):
            raise InputError(f"'{text}' is no length.", fix="Give a number, or a range: 60-80.")
        low, high = int(words[0]), int(words[-1])
    if not SHORTEST <= low <= high <= LONGEST:
        raise InputError(
            f"Chains of {spread(low, high)} residues cannot be drawn.",
            fix=f"Choose from {SHORTEST} to {LONGEST} residues, the smaller number first.",
        )
    return low, high


def _states(structure: str) -> npt.NDArray[np.int64]:
    letters = "".join(structure.split()).upper().replace("L", "C").replace("-", "C")
    strange = sorted(set(letters) - set(STATES))
    if strange:
        raise InputError(
            f"'{strange[0]}' is no secondary structure.",
            fix="Write H (helix), E (strand), C (neither) or ? (any) for each residue, or free.",
        )
    if not SHORTEST <= len(letters) <= LONGEST:
        raise InputError(
            f"A secondary structure of {len(letters)} letters cannot be drawn.",
            fix=f"Write {SHORTEST} to {LONGEST}.",
        )
    return np.array([STATES.index(one) for one in letters], dtype=np.int64)
