"""Bond lengths, angles and torsions of a molecule: which atoms they are of, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rdkit import Chem

__all__ = ["Internal", "angles", "bent", "changes", "dihedrals", "lengths"]

# A torsion about nearly straight atoms is noise.
_STRAIGHT = 175.0

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Internal:
    """The internal coordinates of a molecule, as indices of its atoms.

    Attributes
    ----------
    bonds, angles, torsions:
        (k, 2) ends; (k, 3) with the central atom in the middle; (k, 4) along chains.
    """

    bonds: Indices
    angles: Indices
    torsions: Indices

    @classmethod
    def of(cls, mol: Chem.Mol) -> Internal:
        """All bonds, pairs of bonds and chains of three bonds, in the order of the bonds."""
        bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
        neighbours: list[list[int]] = [[] for _ in range(mol.GetNumAtoms())]
        for i, j in bonds:
            neighbours[i].append(j)
            neighbours[j].append(i)
        angles = [
            (a, centre, b)
            for centre, around in enumerate(neighbours)
            for k, a in enumerate(around)
            for b in around[k + 1 :]
        ]
        torsions = [
            (a, i, j, b)
            for i, j in bonds
            for a in neighbours[i]
            for b in neighbours[j]
            if a != j and b != i and a != b
        ]
        return cls(_indices(bonds, 2), _indices(angles, 3), _indices(torsions, 4))


def _indices(rows: Sequence[tuple[int, ...]], width: int) -> Indices:
    return np.array(rows, dtype=np.int64).reshape(-1, width)


def lengths(positions: Array, bonds: Indices) -> Array:
    """(k,) distances of the ends of (k, 2) bonds."""
    distances: Array = np.linalg.norm(positions[bonds[:, 0]] - positions[bonds[:, 1]], axis=1)
    return distances


def angles(positions: Array, triples: Indices) -> Array:
    """(k,) angles in degrees at the middle atoms of (k, 3) triples."""
    a = positions[triples[:, 0]] - positions[triples[:, 1]]
    b = positions[triples[:, 2]] - positions[triples[:, 1]]
    # atan2 keeps its precision at 0 and 180 degrees, where arccos loses it.
    sine = np.linalg.norm(np.cross(a, b), axis=1)
    degrees: Array = np.degrees(np.arctan2(sine, np.sum(a * b, axis=1)))
    return degrees


def bent(positions: Array, quads: Indices) -> npt.NDArray[np.bool_]:
    """(k,) whether both angles of (k, 4) torsions are far enough from straight."""
    both_bent: npt.NDArray[np.bool_] = (angles(positions, quads[:, :3]) < _STRAIGHT) & (
        angles(positions, quads[:, 1:]) < _STRAIGHT
    )
    return both_bent


def dihedrals(positions: Array, quads: Indices) -> Array:
    """(k,) torsions of (k, 4) atoms in degrees, from -180 to 180."""
    a, i, j, b = positions[quads].transpose(1, 0, 2)
    axis = j - i
    left, right = np.cross(i - a, axis), np.cross(axis, b - j)
    across = np.cross(left, right)
    sine = np.linalg.norm(across, axis=1)
    degrees = np.degrees(np.arctan2(sine, np.sum(left * right, axis=1)))
    return np.copysign(degrees, np.sum(across * axis, axis=1))


def changes(internal: Internal, before: Array, after: Array) -> tuple[Array, Array, Array]:
    """Absolute changes of bond lengths (Å), angles and torsions (degrees) between positions.

    Torsions take the short way round; those about atoms nearly in a line, before or after, are
    left out.
    """
    quads = internal.torsions
    quads = quads[bent(before, quads) & bent(after, quads)]
    turned = np.abs(dihedrals(after, quads) - dihedrals(before, quads))
    return (
        np.abs(lengths(after, internal.bonds) - lengths(before, internal.bonds)),
        np.abs(angles(after, internal.angles) - angles(before, internal.angles)),
        np.minimum(turned, 360 - turned),
    )
