"""Atoms that are too close: what is built against what is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.protein.elements import METALS, NUMBERS
from moldiff.protein.residues import BACKBONE

__all__ = ["BACKBONE_RADII", "OVERLAP", "Solid", "radii"]

OVERLAP = 0.6
"""Å by which two atoms may be closer than their radii add up to: hydrogen bonds are."""

# Radii in Å: A. Bondi, J. Phys. Chem. 68 (1964) 441; that of metals lets them be coordinated.
_RADII = {6: 1.7, 7: 1.55, 8: 1.52, 9: 1.47, 15: 1.8, 16: 1.8, 17: 1.75, 35: 1.85, 53: 1.98}
_OTHER, _METAL = 1.7, 1.1

Array = npt.NDArray[np.float64]


def radii(numbers: npt.NDArray[np.integer]) -> Array:
    """Return the radii of atoms given their atomic numbers, Å."""
    values = np.array([_RADII.get(int(z), _OTHER) for z in numbers])
    return np.where(METALS[numbers], _METAL, values)


BACKBONE_RADII = radii(np.array([NUMBERS[name[0]] for name in BACKBONE]))
"""Radii (4,) in Å of N, CA, C and O."""


@dataclass(frozen=True, eq=False)
class Solid:
    """Atoms (m, 3) in Å with their radii (m,), which stay where they are."""

    positions: Array
    radii: Array

    def near(self, points: Array, reach: float) -> Solid:
        """Return the atoms within ``reach`` Å of any of the points (k, 3)."""
        if not len(self.positions):
            return self
        far, _ = cKDTree(points).query(self.positions, distance_upper_bound=reach)
        return Solid(self.positions[np.isfinite(far)], self.radii[np.isfinite(far)])

    def overlaps(self, points: Array, own: Array) -> Array:
        """Return by how much points (..., k, 3) of radii (k,) overlap each atom: (..., k, m) Å.

        Zero where they do not, `OVERLAP` taken off.
        """
        apart = np.linalg.norm(points[..., None, :] - self.positions, axis=-1)
        return np.maximum(own[:, None] + self.radii - OVERLAP - apart, 0.0)

    def joined(self, positions: Array, own: Array) -> Solid:
        """Return these atoms and others."""
        return Solid(np.concatenate([self.positions, positions]), np.concatenate([self.radii, own]))
