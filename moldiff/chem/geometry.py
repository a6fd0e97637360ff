"""Dihedrals, rotor turns and superposition of whole ensembles, in numpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from moldiff.chem.rotors import Rotors

__all__ = ["dihedrals", "set_torsions", "shape_distances", "superposition", "turn", "wrap"]

Array = npt.NDArray[np.float64]


def wrap(angles: Array) -> Array:
    """Bring angles in radians to [-pi, pi)."""
    return (angles + math.pi) % (2 * math.pi) - math.pi


def dihedrals(x: Array, quads: npt.NDArray[np.int64]) -> Array:
    """Return the dihedral angles (c, r) in radians of atom quadruples (r, 4) in x, (c, n, 3)."""
    a, b, c, d = (x[:, quads[:, k]] for k in range(4))
    axis = c - b
    left, right = np.cross(b - a, axis), np.cross(axis, d - c)
    length = np.linalg.norm(axis, axis=-1)
    return np.arctan2(length * ((b - a) * right).sum(-1), (left * right).sum(-1))


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


def superposition(moving: Array, fixed: Array) -> Array:
    """Return rotations (c, 3, 3) that best turn centred atoms ``moving`` onto ``fixed``.

    Shapes (c, n, 3); source: Kabsch, Acta Cryst. A32 (1976) 922.
    """
    u, _, vt = np.linalg.svd(np.swapaxes(fixed, 1, 2) @ moving)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)


def shape_distances(x: Array) -> Array:
    """Return the pairwise RMSD (c, c) in Å of shapes (c, n, 3), each pair superposed."""
    x = x - x.mean(1, keepdims=True)
    rows, columns = np.triu_indices(len(x), 1)
    covariance = np.swapaxes(x[rows], 1, 2) @ x[columns]
    singular = np.linalg.svd(covariance, compute_uv=False)
    singular[:, 2] *= np.where(np.linalg.det(covariance) < 0, -1, 1)
    size = (x**2).sum((1, 2))
    square = (size[rows] + size[columns] - 2 * singular.sum(-1)) / x.shape[1]
    result = np.zeros((len(x), len(x)))
    result[rows, columns] = result[columns, rows] = np.sqrt(square.clip(0))
    return result
