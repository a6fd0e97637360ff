"""A survey of a box by random poses: where the ligand may lie, and where chains start.

A short minimisation of many random poses shows where in the box there is room and attraction.
Their centroids, with Boltzmann weights of their energies, make a density

.. math::

    \\rho(c) = \\sum_k e^{-E_k / T} \\exp(-|c - c_k|^2 / 2 s^2)

whose highest places, some distance apart, are centres about which the network draws poses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.docking.minimise import minimise
from moldiff.docking.search import cluster
from moldiff.domain.kinematics import Pose, random_poses

if TYPE_CHECKING:
    from moldiff.docking.energy.exact import Energy
    from moldiff.docking.problem import Problem

__all__ = ["Survey", "survey"]

_ITERATIONS = 15  # evaluations of a minimisation
_MOST = 1000  # poses that make the density, the best: its cost is quadratic
_COUNT = 4  # centres beyond the box's own
_APART = 3.0  # Å between two of them
_TEMPERATURE = 1.0  # kcal/mol
_WIDTH = 1.5  # Å
_DISTINCT = 2.0  # smallest RMSD in Å between poses that start chains


def survey(problem: Problem, energy: Energy, count: int, *, rng: torch.Generator) -> Survey:
    """Survey a problem's box by ``count`` random poses."""
    poses = random_poses(problem.kinematics, problem.box, count, rng=rng)
    energies = torch.empty(0)
    if count:
        poses, energies = minimise(problem.kinematics, energy, poses, iterations=_ITERATIONS)
    return Survey(problem, poses, energies)


@dataclass(frozen=True, eq=False)
class Survey:
    """Random poses in a box, minimised for a few steps.

    Attributes
    ----------
    problem:
        What is docked, and where.
    poses, energies:
        p poses and their energies (p,) in kcal/mol.
    """

    problem: Problem
    poses: Pose
    energies: Float[Tensor, " p"]

    def centres(self) -> Float[Tensor, "k 3"]:
        """Return up to five places in Å where the ligand may lie, the box's centre first."""
        places = [torch.from_numpy(np.array(self.problem.box.centre))]
        finite = self.energies.isfinite().nonzero()[:, 0]
        best = finite[self.energies[finite].argsort(stable=True)[:_MOST]].sort().values
        points = self.problem.kinematics.place(self.poses[best]).mean(1)
        square = torch.cdist(points, points).square()
        weights = torch.softmax(-self.energies[best] / _TEMPERATURE, 0)
        density = (weights * torch.exp(-square / (2 * _WIDTH**2))).sum(1)
        for _ in range(min(_COUNT, len(points))):
            peak = int(density.argmax())
            if density[peak] < 0:  # all that is left is near a place
                break
            places.append(points[peak])
            density[square[peak] <= _APART**2] = -1.0
        return torch.stack(places)

    def topped_up(
        self, poses: Pose, energies: Float[Tensor, " q"], count: int
    ) -> tuple[Pose, Float[Tensor, " r"]]:
        """Return poses and, as far as ``count`` are wanted, the best distinct ones of the box.

        A chain of the search seldom leaves its corner of the box, so many corners should be
        tried: the survey shows which are worth a chain.
        """
        spare = count - len(poses)
        if spare <= 0 or not len(self.energies):
            return poses, energies
        best = self.energies.argsort(stable=True)[: 4 * spare]
        x = self.problem.kinematics.place(self.poses[best])
        best = best[cluster(x, self.energies[best], _DISTINCT)[:spare]]
        return Pose.cat([poses, self.poses[best]]), torch.cat([energies, self.energies[best]])
