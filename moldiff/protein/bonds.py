"""Bonds between heavy atoms, by distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.protein.elements import METALS, RADII

__all__ = ["Bonds", "find_bonds"]

_ALLOWANCE = 1.1  # Vina's: bonded if nearer than this times the sum of the radii


@dataclass(frozen=True, eq=False)
class Bonds:
    """Neighbours of m atoms in compressed rows: ``flat[first[i]:first[i + 1]]`` those of atom i."""

    first: npt.NDArray[np.intp]
    flat: npt.NDArray[np.intp]

    def of(self, atom: int) -> list[int]:
        """Return the neighbours of an atom."""
        return self.flat[self.first[atom] : self.first[atom + 1]].tolist()

    @property
    def degree(self) -> npt.NDArray[np.intp]:
        """Number of neighbours of each atom, (m,)."""
        return np.diff(self.first)

    def any_neighbour(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which atoms (m,) have a neighbour in the mask (m,)."""
        total = np.r_[0, np.cumsum(mask[self.flat])]
        return (total[self.first[1:]] - total[self.first[:-1]]) > 0


def find_bonds(positions: npt.NDArray[np.float32], numbers: npt.NDArray[np.int16]) -> Bonds:
    """Bond atoms nearer than 1.1 times the sum of their covalent radii (Trott & Olson 2010).

    Metals are bonded to nothing.

    Parameters
    ----------
    positions:
        (m, 3) in Å.
    numbers:
        (m,) atomic numbers.
    """
    metal = METALS[numbers]
    radius = np.where(metal, np.float32(0), RADII[numbers])
    reach = 2.0 * _ALLOWANCE * float(radius.max(initial=0.7))
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    apart = positions[a] - positions[b]
    bonded = (apart**2).sum(axis=1) < (_ALLOWANCE * (radius[a] + radius[b])) ** 2
    bonded &= ~(metal[a] | metal[b])
    a, b = a[bonded], b[bonded]
    start, end = np.r_[a, b], np.r_[b, a]
    order = np.lexsort((end, start))
    first = np.r_[0, np.cumsum(np.bincount(start, minlength=len(numbers)))]
    return Bonds(first.astype(np.intp), end[order].astype(np.intp))
