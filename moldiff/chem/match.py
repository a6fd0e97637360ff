"""Conformer matching: the pose of an ensemble that comes nearest to a crystal pose.

Learning to turn rotors needs bound poses that rotors can reach: bond lengths and ring shapes
of an embedded conformer, torsions of the crystal (Jing et al., "Torsional Diffusion", 2022,
section 4.1).  Each conformer's rotors are set to the crystal's dihedrals, then centre, rotation
and torsions are refined together by Levenberg-Marquardt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.chem.conformers import Ensemble
from moldiff.chem.geometry import Array, set_torsions, superposition, turn, wrap
from moldiff.chem.geometry import dihedrals as dihedrals_of
from moldiff.chem.rotors import Rotors

__all__ = ["Match", "match_conformer"]

_ITERATIONS = 12
_DAMPING = 1e-2  # Å^2


class Match(NamedTuple):
    """The best conformer, its rotor increments (r,) in radians, and the RMSD left in Å."""

    conformer: int
    torsions: npt.NDArray[np.float64]
    rmsd: float


def match_conformer(ensemble: Ensemble, rotors: Rotors, crystal: npt.ArrayLike) -> Match:
    """Match the ensemble to crystal heavy atoms (n, 3) in Å, in the ensemble's order."""
    target = np.asarray(crystal, dtype=float)
    target = target - target.mean(0)
    x = ensemble.positions.astype(float)
    torsions = np.zeros((len(x), len(rotors)))
    if len(rotors):
        x, torsions = set_torsions(x, rotors, dihedrals_of(target[None], rotors.dihedral))
    goal = np.broadcast_to(target, x.shape)
    x = _superposed(x, goal)
    error = ((goal - x) ** 2).sum((1, 2))
    damping = np.full(len(x), _DAMPING)
    for _ in range(_ITERATIONS if len(rotors) else 0):
        step = _step(goal - x, x, rotors, damping)
        # The rotation and shift of the step are replaced by the best ones: superposition.
        trial = _superposed(turn(x, rotors, step), goal)
        change = ((goal - trial) ** 2).sum((1, 2))
        better = change < error
        x[better], error[better] = trial[better], change[better]
        torsions[better] += step[better]
        damping = np.where(better, 0.2 * damping, 10 * damping).clip(1e-6, 1e6)
    best = int(error.argmin())
    return Match(best, wrap(torsions[best]), float(np.sqrt(error[best] / x.shape[1])))


def _superposed(x: Array, goal: Array) -> Array:
    x = x - x.mean(1, keepdims=True)
    return np.asarray(x @ np.swapaxes(superposition(x, goal), 1, 2))


def _step(residual: Array, x: Array, rotors: Rotors, damping: Array) -> Array:
    """Damped least-squares torsion steps (c, r), rotation being free beside them."""
    a, b = rotors.axis.T
    axis = x[:, b] - x[:, a]
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    moved = np.cross(axis[:, :, None], x[:, None] - x[:, a, None]) * rotors.moves[:, :, None]
    spin = np.cross(np.eye(3)[None, :, None], x[:, None])  # (c, 3, n, 3)
    columns = np.concatenate((spin, moved - moved.mean(2, keepdims=True)), axis=1)
    j = columns.reshape(*columns.shape[:2], -1)
    normal = j @ np.swapaxes(j, 1, 2) + damping[:, None, None] * np.eye(j.shape[1])
    right = j @ residual.reshape(len(x), -1, 1)
    return np.asarray(np.linalg.solve(normal, right)[:, 3:, 0])
