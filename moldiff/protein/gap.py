"""A gap: consecutive residues of a chain that are missing, and what is known about them.

What is known are the types of the missing residues, and the residues around: the nearest ones as
seen from the anchors, which are the last residue before the gap and the first one after it.  A
crop about the missing residues themselves would reveal where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.protein.backbone import Backbone

__all__ = ["FLANK", "Gap", "cut", "window"]

FLANK = 2
"""Residues on both sides that a gap needs."""

_LOOP = 1 / 3  # largest share of residues in helices and strands of a loop
_TRIES = 20


@dataclass(frozen=True, eq=False)
class Gap:
    """n missing residues between two anchors, and the m residues around.

    Attributes
    ----------
    types:
        (n,) int64 amino acids of the missing residues (`moldiff.protein.backbone.LETTERS`).
    around:
        (m, 4, 3) float32 atoms N, CA, C, O of the residues around in Å: `FLANK` that lead to the
        gap, `FLANK` that follow it, and the others by distance.
    around_types, around_places:
        (m,) int64 their amino acids, and their places in the chain: 0 is the first missing residue.
    """

    types: npt.NDArray[np.int64]
    around: npt.NDArray[np.float32]
    around_types: npt.NDArray[np.int64]
    around_places: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.types)

    @property
    def anchors(self) -> npt.NDArray[np.float32]:
        """(2, 4, 3) atoms of the residues before and after the gap, Å."""
        return self.around[[FLANK - 1, FLANK]]


def cut(chain: Backbone, start: int, length: int, *, neighbours: int) -> Gap:
    """Return the gap that is left when residues are taken out of a chain.

    Parameters
    ----------
    chain:
        Its residues [start, start + length) become the missing ones; it has at least `FLANK`
        residues before and after them.
    neighbours:
        Number of residues around the gap; all there are if they are fewer.

    Raises
    ------
    ValueError
        If the chain does not go on on both sides.
    """
    end = start + length
    if length < 1 or start < FLANK or end + FLANK > len(chain):
        raise ValueError(
            f"a gap [{start}, {end}) in a chain of {len(chain)} lacks {FLANK} residues on a side"
        )
    left = np.concatenate([np.arange(start), np.arange(end, len(chain))])
    ca = chain.atoms[left, 1]
    before, after = chain.atoms[start - 1, 1], chain.atoms[end, 1]
    # Points that a chain between the anchors can reach lie in an ellipsoid about both.
    distance = np.linalg.norm(ca - before, axis=1) + np.linalg.norm(ca - after, axis=1)
    flank = np.concatenate([np.arange(start - FLANK, start), np.arange(end, end + FLANK)])
    distance[np.isin(left, flank)] = np.inf
    nearest = np.argsort(distance, kind="stable")[: max(neighbours, 2 * FLANK) - 2 * FLANK]
    chosen = np.concatenate([flank, left[nearest[np.isfinite(distance[nearest])]]])
    return Gap(
        chain.types[start:end].astype(np.int64),
        chain.atoms[chosen],
        chain.types[chosen].astype(np.int64),
        (chosen - start).astype(np.int64),
    )


def window(chain: Backbone, length: int, rng: np.random.Generator, *, loop: bool) -> int:
    """Draw where to cut a gap into a chain that is long enough.

    With ``loop``, where at most a third of the residues are in helices and strands, unless there
    are very few such places.
    """
    for _ in range(_TRIES if loop else 1):
        start = int(rng.integers(FLANK, len(chain) - length - FLANK + 1))
        if chain.regular[start : start + length].mean() <= _LOOP:
            break
    return start
