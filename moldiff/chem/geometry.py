"""Dihedrals and rotor turns of whole ensembles, in numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moldiff.chem.rotors import Rotors
from moldiff.geometry.arrays import torsions, wrap

__all__ = ["dihedrals", "set_torsions", "turn"]

Array = npt.NDArray[np.float64]


def dihedrals(x: Array, quads: npt.NDArray[np.int64]) -> Array:
    """Return the dihedral angles (c, r) in radians of atom quadruples (r, 4) in x, (c, n, 3)."""
    return torsions(*(x[:, quads[:, k]] for k in range(4)))


def turn(x: Array, rotors: Rotors, angles: Array) -> Array:
    """Return x, (c, n, 3), with each rotor turned by angles (c, r) in radians, root first."""
    x = x.copy()
    for k, (a, b) in enumerate(rotors.axis):
        axis = x[:, b] - x[:, a]
        axis /= np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12)
        u, v = axis[:, None], x[:, rotors.moves[k]] - x[:, a, None]
        cos, sin = np.cos(angles[:, k, None, None]), np.sin(angles[:, k, None, None])
        along = (v * u).sum(-1, keepdims=True) * u
        x[:, rotors.moves[k]] = x[:, a, None] + along + cos * (v - along) + sin * np.cross(u, v)
    return x


def set_torsions(x: Array, rotors: Rotors, angles: Array) -> tuple[Array, Array]:
    """Turn the rotors of x, (c, n, 3), to dihedral angles (r,) or (c, r).

    Returns
    -------
    tuple
        The new positions and the increments (c, r) that led there, radians.
    """
    increments = wrap(angles - dihedrals(x, rotors.dihedral))
    return turn(x, rotors, increments), increments
