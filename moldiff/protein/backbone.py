r"""Backbones: residues as C-alpha positions with rotations, and atoms from them.

The frame of a residue has its origin at C-alpha, its x axis towards C, and N in the xy plane at
positive y; L-amino acids have C-beta at negative z.  Frames are rotations, so what is built from
them has the right handedness.  Bond lengths are those of Engh & Huber (Acta Cryst. A47 (1991) 392),
angles those of their revision (International Tables for Crystallography F (2001) 18.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "AMINO_ACIDS",
    "ANGLES",
    "BONDS",
    "C_BETA",
    "IDEAL",
    "LETTERS",
    "UNKNOWN",
    "Backbone",
    "end_oxygens",
    "frames_of",
    "oxygens",
]

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
"""The amino acids by class index."""
AMINO_ACIDS = len(LETTERS)
UNKNOWN = AMINO_ACIDS
"""Class of an amino acid that is not known, or not one of the twenty."""

BONDS: npt.NDArray[np.float64] = np.array([1.329, 1.458, 1.525])
"""Of N, CA and C: the bond to the atom before in the chain, Å."""
ANGLES: npt.NDArray[np.float64] = np.radians([117.2, 121.7, 111.2])
"""Of N, CA and C: the angle at the atom before, radians."""

_N_CA, _CA_C, _C_O, _N_CA_C = float(BONDS[1]), float(BONDS[2]), 1.231, float(ANGLES[2])
_CA_C_O = 0.506  # cosine between CA-C and C-O

IDEAL: npt.NDArray[np.float32] = np.array(
    [
        [_N_CA * math.cos(_N_CA_C), _N_CA * math.sin(_N_CA_C), 0.0],
        [0.0, 0.0, 0.0],
        [_CA_C, 0.0, 0.0],
    ],
    dtype=np.float32,
)
"""(3, 3) positions of N, CA and C in the frame of their residue, Å."""

_CA_CB, _N_CA_CB, _C_CA_CB = 1.530, math.radians(110.5), math.radians(110.1)  # Å and radians


def _beta() -> npt.NDArray[np.float32]:
    """C-beta at its angles with N and C, on the side of L-amino acids."""
    x = math.cos(_C_CA_CB)
    y = (math.cos(_N_CA_CB) - x * math.cos(_N_CA_C)) / math.sin(_N_CA_C)
    z = -math.sqrt(1 - x * x - y * y)
    return np.array([_CA_CB * x, _CA_CB * y, _CA_CB * z], dtype=np.float32)


C_BETA: npt.NDArray[np.float32] = _beta()
"""(3,) position of C-beta in the frame of its residue, Å; for glycine where it would be."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A chain without gaps of n residues.

    Attributes
    ----------
    atoms:
        (n, 4, 3) float32, N, CA, C and O in Å.
    types:
        (n,) int8 amino acids, index into `LETTERS`, or `UNKNOWN`.
    regular:
        (n,) bool, whether a residue is part of a helix or a strand.
    """

    atoms: npt.NDArray[np.float32]
    types: npt.NDArray[np.int8]
    regular: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.types)


def frames_of(atoms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the frames (..., 3, 3) of residues with atoms N, CA, C, ... (..., a, 3) in Å.

    The columns of a frame are its axes: a point y of the frame is at CA + R y.
    """
    n, ca, c = (atoms[..., k, :] for k in range(3))
    x = _unit(c - ca)
    y = n - ca
    y = _unit(y - (y * x).sum(-1, keepdims=True) * x)
    frames: npt.NDArray[np.float32] = np.stack([x, y, np.cross(x, y)], -1)
    return frames


def oxygens(
    atoms: npt.NDArray[np.floating], following: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    """Return where O is (..., 3), Å, from N, CA, C (..., 3, 3) and the next N (..., 3).

    The carbonyl group is planar, and its two angles at C differ by only 2.6 degrees.
    """
    ca, c = atoms[..., 1, :], atoms[..., 2, :]
    return c + _C_O * _unit(_unit(c - ca) + _unit(c - following))


def end_oxygens(atoms: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return where O is (..., 3), Å, of residues that nothing follows: opposite to N about CA-C."""
    n, ca, c = (atoms[..., k, :] for k in range(3))
    along = _unit(c - ca)
    across = _unit((n - ca) - ((n - ca) * along).sum(-1, keepdims=True) * along)
    return c + _C_O * (_CA_C_O * along - math.sqrt(1 - _CA_C_O**2) * across)


def _unit(v: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)
