"""Which molecules are made together, and in which order they come out.

Molecules are drawn one after another, and made in batches of one size, which is fast.  Each has
random numbers of its own (`moldiff.seeds.Generators`), so that it does not matter who is made
beside it: the first k of n molecules do not depend on n, but for rounding where a machine sums
batches of different shapes differently.  Results wait for those that were drawn before them, within
blocks of the drawn order, so that many molecules do not all wait for the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["BLOCK", "Group", "blocks", "groups"]

BLOCK = 512
"""Molecules whose sizes are drawn together."""
_TOGETHER = 64  # molecules of a batch: enough to be fast, few enough to report often


@dataclass(frozen=True)
class Group:
    """Molecules of one size that are made together.

    Attributes
    ----------
    size:
        Their number of atoms.
    places:
        Where they are in the drawn order, from 0, rising.
    """

    size: int
    places: tuple[int, ...]


def blocks(n: int) -> Iterator[range]:
    """Yield the blocks of the first n molecules; the last may be shorter."""
    for start in range(0, n, BLOCK):
        yield range(start, min(start + BLOCK, n))


def groups(block: Sequence[int], sizes: Sequence[int]) -> list[Group]:
    """Return the batches of a block, that of the earliest molecule first.

    Parameters
    ----------
    block:
        Places in the drawn order, rising: those of a block, or some of them.
    sizes:
        Number of atoms of each of these molecules.
    """
    of_size: dict[int, list[int]] = {}
    for place, size in zip(block, sizes, strict=True):
        of_size.setdefault(int(size), []).append(place)
    batches = [
        Group(size, tuple(places[k : k + _TOGETHER]))
        for size, places in of_size.items()
        for k in range(0, len(places), _TOGETHER)
    ]
    return sorted(batches, key=lambda group: group.places[0])
