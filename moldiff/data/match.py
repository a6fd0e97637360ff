"""The pose of a given conformer nearest to a crystal pose, fast enough for thousands.

Each rotor is set to its dihedral angle in the crystal, the shape is superposed, and a few
Levenberg-Marquardt steps (Moré, 1978) in translation, rotation and torsions reduce the misfit that
remains because bond angles differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.chem.geometry import dihedrals, turn
from moldiff.chem.rotors import Rotors
from moldiff.geometry.arrays import kabsch, rmsd, wrap

__all__ = ["Match", "match"]

_STEPS = 6
Array = npt.NDArray[np.float64]
_State = tuple[Array, Array, Array, float]


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
    """Match a conformer (n, 3) to crystal positions (n, 3), Å.

    A model of torsions needs bound poses that rotors can reach: bond lengths and ring shapes of an
    embedded conformer, torsions of the crystal (Jing et al., "Torsional Diffusion", 2022,
    section 4.1).
    """
    x, target = conformer.astype(float), crystal.astype(float)
    axis, moves = rotors.axis, rotors.moves
    current, desired = dihedrals(np.stack((x, target)), rotors.dihedral)
    angles = desired - current
    best = _state(x, rotors, angles, target)
    damping = 1e-2
    for _ in range(_STEPS if len(axis) else 0):
        y, residual = best[0], target - best[0]
        j = _jacobian(y, axis, moves)
        normal = j.T @ j
        step = np.linalg.solve(normal + damping * np.eye(len(normal)), j.T @ residual.ravel())
        trial = _state(x, rotors, angles + step[6:], target)
        if trial[3] < best[3]:
            improvement = best[3] - trial[3]
            best, angles, damping = trial, angles + step[6:], damping * 0.2
            if improvement < 1e-3:
                break
        else:
            damping *= 10
    return Match(wrap(angles), best[1], best[2], best[3])


def _state(x: Array, rotors: Rotors, angles: Array, target: Array) -> _State:
    """Turn the rotors and superpose; return positions, rotation, centre, RMSD."""
    y = turn(x[None], rotors, angles[None])[0]
    y -= y.mean(0)
    centre = target.mean(0)
    rotation = kabsch(y, target - centre)
    placed = y @ rotation.T + centre
    return placed, rotation, centre, float(rmsd(placed, target))


def _jacobian(y: Array, axis: npt.NDArray[np.int64], moves: npt.NDArray[np.bool_]) -> Array:
    """Return the derivative (3n, 6 + r) of the atoms by translation, rotation and torsions."""
    n = len(y)
    columns = np.zeros((6 + len(axis), n, 3))
    columns[range(3), :, range(3)] = 1
    columns[3:6] = np.cross(np.eye(3)[:, None], y - y.mean(0))
    if len(axis):
        tail = y[axis[:, 0]]
        unit = y[axis[:, 1]] - tail
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        displacement = np.cross(unit[:, None], y - tail[:, None]) * moves[:, :, None]
        columns[6:] = displacement - displacement.mean(1, keepdims=True)
    return columns.reshape(len(columns), -1).T
