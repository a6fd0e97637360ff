"""The pose of a given conformer nearest to a crystal pose, fast enough for thousands.

Each rotor takes the dihedral angle it has in the crystal, the shape is superposed, and a few
Levenberg-Marquardt steps in translation, rotation and torsions settle what differing bond
angles leave (Moré, 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.chem.rotors import Rotors

__all__ = ["Match", "match"]

_STEPS = 6
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Match:
    """A pose: torsion increments (r,) in radians, rotation (3, 3), centre (3,) and RMSD in Å."""

    torsions: Array
    rotation: Array
    centre: Array
    rmsd: float


def match(
    conformer: npt.NDArray[np.float32], rotors: Rotors, crystal: npt.NDArray[np.float32]
) -> Match:
    """Match a conformer (n, 3) to crystal positions (n, 3), Å."""
    x, target = conformer.astype(float), crystal.astype(float)
    axis, moves = rotors.axis, rotors.moves
    angles = np.array([_dihedral(target[d]) - _dihedral(x[d]) for d in rotors.dihedral])
    best = _state(x, axis, moves, angles, target)
    damping = 1e-2
    for _ in range(_STEPS if len(axis) else 0):
        y, residual = best[0], target - best[0]
        j = _jacobian(y, axis, moves)
        normal = j.T @ j
        step = np.linalg.solve(normal + damping * np.eye(len(normal)), j.T @ residual.ravel())
        trial = _state(x, axis, moves, angles + step[6:], target)
        if trial[3] < best[3]:
            gained = best[3] - trial[3]
            best, angles, damping = trial, angles + step[6:], damping * 0.2
            if gained < 1e-3:
                break
        else:
            damping *= 10
    wrapped = (angles + np.pi) % (2 * np.pi) - np.pi
    return Match(wrapped, best[1], best[2], best[3])


def _dihedral(x: Array) -> float:
    b0, b1, b2 = x[0] - x[1], x[2] - x[1], x[3] - x[2]
    b1 = b1 / np.linalg.norm(b1)
    v, w = b0 - (b0 @ b1) * b1, b2 - (b2 @ b1) * b1
    return float(np.arctan2(np.cross(b1, v) @ w, v @ w))


def _state(
    x: Array,
    axis: npt.NDArray[np.int64],
    moves: npt.NDArray[np.bool_],
    angles: Array,
    target: Array,
) -> tuple[Array, Array, Array, float]:
    """Turn and superpose: positions, rotation, centre, RMSD."""
    y = x.copy()
    for (a, b), moved, angle in zip(axis, moves, angles, strict=True):
        unit = (y[b] - y[a]) / np.linalg.norm(y[b] - y[a])
        k = np.array([[0, -unit[2], unit[1]], [unit[2], 0, -unit[0]], [-unit[1], unit[0], 0]])
        turn = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)
        y[moved] = (y[moved] - y[a]) @ turn.T + y[a]
    y -= y.mean(0)
    centre = target.mean(0)
    u, _, vt = np.linalg.svd(y.T @ (target - centre))
    sign = np.sign(np.linalg.det(u @ vt))
    rotation = (u * [1, 1, sign] @ vt).T
    placed = y @ rotation.T + centre
    return placed, rotation, centre, float(np.sqrt(((placed - target) ** 2).sum(1).mean()))


def _jacobian(y: Array, axis: npt.NDArray[np.int64], moves: npt.NDArray[np.bool_]) -> Array:
    """Derivative (3n, 6 + r) of the atoms by translation, rotation and torsions."""
    n = len(y)
    columns = np.zeros((6 + len(axis), n, 3))
    columns[range(3), :, range(3)] = 1
    columns[3:6] = np.cross(np.eye(3)[:, None], y - y.mean(0))
    if len(axis):
        tail = y[axis[:, 0]]
        unit = y[axis[:, 1]] - tail
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        moved = np.cross(unit[:, None], y - tail[:, None]) * moves[:, :, None]
        columns[6:] = moved - moved.mean(1, keepdims=True)
    return columns.reshape(len(columns), -1).T
