"""Superposition, RMSD and angles in numpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = [
    "kabsch",
    "rmsd",
    "shape_distances",
    "superposed_rmsd",
    "symmetric_rmsd",
    "torsions",
    "wrap",
]

Array = npt.NDArray[np.float64]


def wrap(angles: Array) -> Array:
    """Wrap angles in radians to [-pi, pi)."""
    return (angles + math.pi) % (2 * math.pi) - math.pi


def torsions(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the torsions (...) of four points (..., 3), radians."""
    u, v, w = b - a, c - b, d - c
    n, m = np.cross(u, v), np.cross(v, w)
    length = np.linalg.norm(v, axis=-1)
    return np.asarray(np.arctan2(length * (u * m).sum(-1), (n * m).sum(-1)))


def kabsch(moving: Array, fixed: Array) -> Array:
    """Return the rotations (..., 3, 3) that best superpose centred ``moving`` onto ``fixed``.

    Least squares over points (..., n, 3); always proper, never a reflection.
    Source: Kabsch, Acta Cryst. A32 (1976) 922, with the guard of A34 (1978) 827.
    """
    u, _, vt = np.linalg.svd(np.swapaxes(moving, -1, -2) @ fixed)
    u[..., -1] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return np.swapaxes(u @ vt, -1, -2)


def rmsd(a: Array, b: Array) -> Array:
    """Return the root mean square distance (...) of points (..., n, 3), without superposition."""
    return np.asarray(np.sqrt(((a - b) ** 2).sum(axis=-1).mean(axis=-1)))


def superposed_rmsd(a: Array, b: Array) -> Array:
    """Return the RMSD (...) of points (..., n, 3) after the best superposition."""
    a, b = (x - x.mean(axis=-2, keepdims=True) for x in (a, b))
    return rmsd(a @ np.swapaxes(kabsch(a, b), -1, -2), b)


def symmetric_rmsd(x: Array, target: Array, symmetries: npt.NDArray[np.integer]) -> Array:
    """Return the symmetry-corrected RMSD (p,) of poses (p, n, 3) from a target, not superposed.

    The minimum over the relabellings (s, n), which index the points of ``target``.
    """
    relabelled = target[symmetries]
    # One pose at a time: there may be thousands of symmetries.
    return np.array([rmsd(relabelled, pose).min() for pose in x])


def shape_distances(x: Array) -> Array:
    """Return the RMSD (c, c) between shapes (c, n, 3), each pair superposed.

    The singular values of the covariance give it without the rotations (Kabsch, 1976).
    """
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
