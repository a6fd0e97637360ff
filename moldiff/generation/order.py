"""Which molecules are made together, so that the first k of n do not depend on n.

Molecules are drawn one after another, and made in batches of one size, which is fast.  A batch
shares its random numbers, and sums are rounded by its shape; so who is in it must not depend on how
many were asked for.  The drawn order is divided into blocks that are always the same, and a block
into batches; a batch is made as a whole if one of its molecules is wanted.  Blocks grow, so that
few molecules cost little and many go fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Group", "blocks", "groups"]

_FIRST, _GROWTH = 8, 4
_LARGEST = 1024
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

    def before(self, n: int) -> int:
        """How many of them are among the first n."""
        return sum(place < n for place in self.places)


def blocks(n: int) -> Iterator[range]:
    """Yield the blocks that hold the first n molecules; the last may end beyond them."""
    start, end = 0, _FIRST
    while start < n:
        yield range(start, end)
        start, end = end, min(_GROWTH * end, end + _LARGEST)


def groups(block: range, sizes: Sequence[int], n: int) -> list[Group]:
    """Return the batches of a block that hold one of the first n, the earliest molecule first.

    Parameters
    ----------
    sizes:
        Number of atoms of each molecule of the block.
    """
    of_size: dict[int, list[int]] = {}
    for place, size in zip(block, sizes, strict=True):
        of_size.setdefault(int(size), []).append(place)
    found = [
        Group(size, tuple(places[k : k + _TOGETHER]))
        for size, places in of_size.items()
        for k in range(0, len(places), _TOGETHER)
    ]
    return sorted((g for g in found if g.places[0] < n), key=lambda group: group.places[0])
