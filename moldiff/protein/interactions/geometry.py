"""Distances and angles of interactions; vectors are (3,) in Å, angles in degrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from moldiff.protein.interactions.features import Hydrogens, Ring

__all__ = ["acute", "angle", "angle_at_hydrogen", "meeting", "near"]

_TETRAHEDRAL = 109.5

Floats = npt.NDArray[np.float64]


def angle_at_hydrogen(hydrogens: Hydrogens, row: int, donor: Floats, acceptor: Floats) -> float:
    """Donor-hydrogen-acceptor in degrees; a hydrogen that turns points at best."""
    position = hydrogens.position[row]
    if not np.isnan(position[0]):
        return angle(donor - position, acceptor - position)
    behind, length = hydrogens.neighbour[row], hydrogens.length[row]
    if np.isnan(behind[0]):
        return 180.0
    # In the plane of the three atoms, the hydrogen is this far off the line to the acceptor.
    off = np.radians(angle(behind - donor, acceptor - donor) - _TETRAHEDRAL)
    distance = np.linalg.norm(acceptor - donor)
    hydrogen = length * np.array([np.cos(off), np.sin(off)])
    return angle(-hydrogen, np.array([distance, 0.0]) - hydrogen)


def meeting(a: Ring, b: Ring) -> float:
    """How near a centroid, in Å, the planes meet: at the point nearest to the first ring."""
    along = np.cross(a.normal, b.normal)
    inward = np.cross(along / np.linalg.norm(along), a.normal)
    step = float(b.normal @ (b.centre - a.centre) / (b.normal @ inward))
    return min(abs(step), float(np.linalg.norm(a.centre + step * inward - b.centre)))


def near(x: Floats, y: Floats, reach: float) -> list[tuple[int, int, float]]:
    """Pairs of points (k, 3) and (m, 3) within reach, with their distance in Å."""
    if not len(x) or not len(y):
        return []
    apart = cdist(x, y)
    i, j = np.nonzero(apart <= reach)
    return list(zip(i.tolist(), j.tolist(), apart[i, j].tolist(), strict=True))


def angle(u: Floats, v: Floats) -> float:
    """Angle between two vectors in degrees."""
    cosine = float(u @ v) / max(float(np.sqrt((u @ u) * (v @ v))), 1e-9)
    return float(np.degrees(np.arccos(min(max(cosine, -1.0), 1.0))))


def acute(u: Floats, v: Floats) -> float:
    """Angle between two lines in degrees."""
    wide = angle(u, v)
    return min(wide, 180.0 - wide)
