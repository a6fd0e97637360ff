r"""Search for low-energy poses: many Metropolis chains of minimised poses, all at once.

Basin hopping (Li & Scheraga, PNAS 84 (1987) 6611) with Vina's moves and temperature (Trott &
Olson 2010): a round changes one degree of freedom of every chain (a shift by up to 2 Å, a turn
that moves atoms by about as much, or one torsion, uniformly), minimises for a few steps and
accepts by Metropolis' rule at 1.2 kcal/mol.  One addition: from time to time, chains of high
energy are replaced by copies of better ones, drawn with Boltzmann weights, which concentrates the
effort on regions of low energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moldiff.docking.energy.exact import Energy
from moldiff.docking.minimise import minimise, pick
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.geometry.tensors import rmsd, uniform_angles
from moldiff.seeds import normal, uniform

__all__ = ["Schedule", "accepts", "cluster", "search"]


@dataclass(frozen=True)
class Schedule:
    """The parameters of a search.

    Attributes
    ----------
    iterations:
        Evaluations of a minimisation within a round.
    final:
        Evaluations of the last minimisation.
    temperature:
        Temperature of Metropolis' rule, kcal/mol.
    shift:
        Largest translation in Å, and roughly the largest displacement by a rotation.
    exchange:
        Rounds between exchanges among the chains; 0 for none.
    spread:
        Temperature of the exchanges, kcal/mol.
    keep:
        Poses archived per chain, at least ``separation`` Å apart.
    """

    iterations: int = 20
    final: int = 60
    temperature: float = 1.2
    shift: float = 2.0
    exchange: int = 5
    spread: float = 3.0
    keep: int = 3
    separation: float = 1.0


@torch.no_grad()
def search(
    kinematics: Kinematics,
    energy: Energy,
    poses: Pose,
    *,
    rounds: int,
    rng: torch.Generator,
    schedule: Schedule | None = None,
) -> tuple[Pose, Float[Tensor, " q"]]:
    """Improve poses by basin hopping, one chain from each.

    Parameters
    ----------
    poses:
        p starting poses, preferably minimised; they count towards the result.
    rounds:
        Changes of each chain.
    rng:
        Source of all randomness.

    Returns
    -------
    tuple
        q <= p * keep minimised poses, best first, and their energies (q,) in kcal/mol.  The
        best is at least as good as the best starting pose.
    """
    plan = schedule or Schedule()
    current, energies = minimise(kinematics, energy, poses, iterations=plan.iterations)
    archive = _Archive(kinematics, current, energies, plan)
    for number in range(1, rounds + 1):
        trial = _change(kinematics, current, plan, rng)
        trial, trial_energies = minimise(kinematics, energy, trial, iterations=plan.iterations)
        chance = uniform(trial_energies.shape, rng=rng, device=trial_energies.device)
        accept = accepts(energies, trial_energies, plan.temperature, chance)
        current, energies = (
            pick(accept, trial, current),
            torch.where(accept, trial_energies, energies),
        )
        archive.add(trial, trial_energies)
        if plan.exchange and number % plan.exchange == 0 and number < rounds:
            source = _exchange(energies, plan.spread, rng)
            current, energies = current[source], energies[source]
    last, energies = minimise(kinematics, energy, archive.poses(), iterations=plan.final)
    order = energies.argsort(stable=True)
    return last[order], energies[order]


def accepts(
    before: Float[Tensor, "*s"],
    after: Float[Tensor, "*s"],
    temperature: float,
    u: Float[Tensor, "*s"],
) -> Bool[Tensor, "*s"]:
    """Return which changes of energy to accept: min(1, exp((before - after) / temperature)).

    ``u`` is uniform on [0, 1); energies and temperature share one unit.
    Source: Metropolis et al., J. Chem. Phys. 21, 1087 (1953).
    """
    return torch.log(u) < (before - after) / temperature


def cluster(
    x: Float[Tensor, "p n 3"], energies: Float[Tensor, " p"], threshold: float = 1.0
) -> Int[Tensor, " k"]:
    """Return the poses that are the best within a radius of ``threshold`` Å RMSD.

    Leader clustering in order of energy: a pose is kept unless a better kept one is nearer than
    the threshold (atom by atom, no symmetry).  The indices are returned best first.
    """
    order = energies.argsort(stable=True)
    flat = x[order].flatten(1)
    # Relative to the mean pose: distances then lose no digits to a far origin.
    distance = torch.cdist(flat - flat.mean(0), flat - flat.mean(0)) / math.sqrt(x.shape[1])
    near = (distance < threshold).cpu().numpy()
    leaders: list[int] = []
    for k in range(len(order)):
        if not near[k, leaders].any():
            leaders.append(k)
    return order[torch.tensor(leaders, dtype=torch.int64, device=order.device)]


class _Archive:
    """The best distinct poses of each chain: rows of (p * keep) poses."""

    def __init__(
        self, kinematics: Kinematics, pose: Pose, energies: Tensor, plan: Schedule
    ) -> None:
        chains = len(pose)
        self._kinematics, self._separation = kinematics, plan.separation
        self._rows = torch.arange(chains, device=energies.device)
        self._pose = Pose.cat([pose] * plan.keep)  # slot k of chain c is row k * chains + c
        self._energies = energies.new_full((plan.keep, chains), torch.inf)
        self._energies[0] = energies
        self._x = kinematics.place(pose).expand(plan.keep, -1, -1, -1).clone()

    def add(self, pose: Pose, energies: Tensor) -> None:
        """Offer one pose to each chain: it may replace a similar pose or the chain's worst."""
        x = self._kinematics.place(pose)
        distance = rmsd(self._x, x)
        distance = torch.where(self._energies.isinf(), torch.inf, distance)
        nearest, slot_of_nearest = distance.min(0)
        slot = torch.where(nearest < self._separation, slot_of_nearest, self._energies.argmax(0))
        better = energies < self._energies[slot, self._rows]
        slot, rows = slot[better], self._rows[better]
        self._energies[slot, rows] = energies[better]
        self._x[slot, rows] = x[better]
        place, new = slot * len(self._rows) + rows, pose[better]
        self._pose = Pose(
            self._pose.conformer.index_copy(0, place, new.conformer),
            self._pose.centre.index_copy(0, place, new.centre),
            self._pose.rotation.index_copy(0, place, new.rotation),
            self._pose.torsions.index_copy(0, place, new.torsions),
        )

    def poses(self) -> Pose:
        """Return all archived poses."""
        return self._pose[self._energies.view(-1).isfinite().nonzero()[:, 0]]


def _change(kinematics: Kinematics, pose: Pose, plan: Schedule, rng: torch.Generator) -> Pose:
    """Change one degree of freedom of each pose."""
    x = kinematics.place(pose)
    radius = (x - x.mean(1, keepdim=True)).square().sum(-1).mean(1).sqrt().clamp_min(1.0)
    options: Any = {"rng": rng, "device": x.device, "dtype": x.dtype}
    freedom = uniform((len(pose),), **options).mul_(2 + kinematics.rotors).long()
    direction = torch.nn.functional.normalize(normal((len(pose), 3), **options), dim=1)
    reach = uniform((len(pose), 1), **options).pow_(1 / 3).mul_(plan.shift) * direction
    tangent = pose.centre.new_zeros(len(pose), 6 + kinematics.rotors)
    tangent[:, :3] = torch.where((freedom == 0)[:, None], reach, 0.0)
    tangent[:, 3:6] = torch.where((freedom == 1)[:, None], reach / radius[:, None], 0.0)
    angle = uniform_angles((len(pose), 1), **options)
    rotor = torch.arange(2, 2 + kinematics.rotors, device=x.device)
    tangent[:, 6:] = torch.where(freedom[:, None] == rotor, angle, 0.0)
    return kinematics.retract(pose, tangent)


def _exchange(energies: Tensor, spread: float, rng: torch.Generator) -> Tensor:
    """Resample all chains with Boltzmann weights (systematic resampling)."""
    weights = torch.softmax(-energies.double() / spread, dim=0)
    start = uniform((), rng=rng, device=weights.device, dtype=weights.dtype)
    count = len(energies)
    points = (torch.arange(count, device=weights.device) + start) / count
    return torch.searchsorted(weights.cumsum(0), points).clamp_max_(count - 1)
