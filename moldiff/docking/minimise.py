r"""Local minimisation of many poses at once, in the tangent space of poses.

Quasi-Newton steps (BFGS; Nocedal & Wright, Numerical Optimization, 2nd edition, equation 6.17
and algorithm 3.1) for all poses together.  Each pose has its own step length and its own
line search, but there is no inner loop: every iteration evaluates each pose once, either at
the end of a new step or, if the last one did not lower its energy enough (Armijo), at a
shorter one.  An iteration is therefore one evaluation of the whole batch.

The tangent has 6 + r components, some ten to thirty, so the inverse Hessians (p, d, d) are kept
whole: an update is one batched product of rank two, a tenth of the calls that the two loops
of limited-memory BFGS take over their history, and all curvature is kept.  They start from
``(J^T J + ridge)^-1``, J being the derivative of the atoms by the tangent: the steepest
descent in the metric of atomic displacements, which balances ångströms and radians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moldiff.docking.energy.exact import Energy
from moldiff.domain.kinematics import Pose

__all__ = ["Motion", "minimise", "pick"]

_ARMIJO = 1e-4
#: Longest first step, as root mean square displacement in Å; largest component of any step.
_FIRST_STEP, _LARGEST_STEP = 0.2, 1.0
_RIDGE = 0.1  # Å^2 per atom, on the diagonal of the metric: limits rotors that move little
_COMPACT_EVERY = 6
_SHORTEST = 1e-3  # fraction of a step below which the pose is done


@runtime_checkable
class Motion(Protocol):
    """How poses move atoms; `moldiff.domain.kinematics.Kinematics` has all motions.

    A tangent has d components: of translation, rotation and torsions, or some of these.
    """

    @property
    def atoms(self) -> int:
        """Number of heavy atoms n."""

    def place(self, pose: Pose) -> Float[Tensor, "p n 3"]:
        """Return the atoms of the poses, in Å."""

    def pull_back(
        self, gradient: Float[Tensor, "p n 3"], x: Float[Tensor, "p n 3"]
    ) -> Float[Tensor, "p d"]:
        """Return an energy's gradient in the tangent space from that over the atoms."""

    def jacobian(self, x: Float[Tensor, "p n 3"]) -> Float[Tensor, "p 3*n d"]:
        """Return the derivative of the atoms, flattened, with respect to the tangent."""

    def retract(self, pose: Pose, tangent: Float[Tensor, "p d"]) -> Pose:
        """Move poses along tangents."""


@dataclass(eq=False)
class _State:
    """The poses being minimised: all tensors have p rows."""

    index: Int[Tensor, " p"]
    pose: Pose
    energy: Float[Tensor, " p"]
    gradient: Float[Tensor, "p d"]
    direction: Float[Tensor, "p d"]
    inverse: Float[Tensor, "p d d"]
    length: Float[Tensor, " p"]
    fresh: Bool[Tensor, " p"]
    converged: Bool[Tensor, " p"]

    def select(self, keep: Tensor) -> _State:
        """Keep some rows."""
        return _State(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


@torch.no_grad()
def minimise(
    kinematics: Motion,
    energy: Energy,
    pose: Pose,
    *,
    iterations: int = 60,
    tolerance: float = 1e-3,
) -> tuple[Pose, Float[Tensor, " p"]]:
    """Minimise p poses together.

    Parameters
    ----------
    kinematics, energy:
        Positions of the atoms of a pose, and their energy.
    pose:
        p starting poses; left unchanged.
    iterations:
        Maximum number of evaluations of each pose, including the first.
    tolerance:
        A pose is done when its predicted next gain is less than this, in kcal/mol.

    Returns
    -------
    tuple
        The poses, none higher in energy than before, in the same order, and their energies (p,).
    """
    state = _start(kinematics, energy, pose)
    best, energies = state.pose, state.energy.clone()
    for iteration in range(1, iterations):
        _step(state, kinematics, energy, tolerance)
        if iteration % _COMPACT_EVERY == 0 and bool(state.converged.any()):
            best = _write(best, state)
            energies[state.index] = state.energy
            state = state.select((~state.converged).nonzero()[:, 0])
            if not len(state.index):
                return best, energies
    energies[state.index] = state.energy
    return _write(best, state), energies


def pick(choose: Bool[Tensor, " p"], yes: Pose, no: Pose) -> Pose:
    """Return the first pose where ``choose`` holds and the second elsewhere."""
    column = choose[:, None]
    return Pose(
        torch.where(choose, yes.conformer, no.conformer),
        torch.where(column, yes.centre, no.centre),
        torch.where(column[..., None], yes.rotation, no.rotation),
        torch.where(column, yes.torsions, no.torsions),
    )


def _start(kinematics: Motion, energy: Energy, pose: Pose) -> _State:
    """Evaluate the poses and set up the first step."""
    x = kinematics.place(pose)
    value, by_atom = energy.value_and_gradient(x)
    gradient = kinematics.pull_back(by_atom, x)
    j = kinematics.jacobian(x)
    metric = j.mT @ j
    metric.diagonal(dim1=1, dim2=2).add_(_RIDGE * kinematics.atoms)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(metric).L)
    direction = -_times(inverse, gradient)
    # |J d|^2 = - d . g in this metric; scaling bounds how far the first step moves the atoms.
    displacement = (-direction * gradient).sum(1).clamp_min(1e-12).div(kinematics.atoms).sqrt()
    scale = (_FIRST_STEP / displacement).clamp_max(1.0)
    return _State(
        index=torch.arange(len(pose), device=x.device),
        pose=pose,
        energy=value,
        gradient=gradient,
        direction=direction * scale[:, None],
        inverse=inverse,
        length=torch.ones_like(value),
        fresh=torch.ones_like(value, dtype=torch.bool),
        converged=torch.zeros_like(value, dtype=torch.bool),
    )


def _step(state: _State, kinematics: Motion, energy: Energy, tolerance: float) -> None:
    """Evaluate every pose once; accept or shorten its step."""
    step = state.direction * state.length[:, None]
    trial = kinematics.retract(state.pose, step)
    x = kinematics.place(trial)
    value, by_atom = energy.value_and_gradient(x)
    gradient = kinematics.pull_back(by_atom, x)
    slope = (state.gradient * step).sum(1)
    accepted = (value <= state.energy + _ARMIJO * slope) & ~state.converged
    _update(state, step, gradient - state.gradient)
    # Minimum of the parabola through both energies and the slope, kept within bounds.
    rise = value - state.energy - slope
    shorter = (-0.5 * slope / rise.clamp_min(1e-12)).clamp(0.1, 0.5)
    state.length = torch.where(accepted, 1.0, state.length * shorter)
    state.pose = pick(accepted, trial, state.pose)
    state.energy = torch.where(accepted, value, state.energy)
    state.gradient = torch.where(accepted[:, None], gradient, state.gradient)
    next_direction = -_times(state.inverse, state.gradient)
    next_direction = next_direction * (
        _LARGEST_STEP / next_direction.abs().amax(1, True)
    ).clamp_max(1.0)
    state.direction = torch.where(accepted[:, None], next_direction, state.direction)
    promise = -(state.gradient * state.direction).sum(1)
    state.converged |= (promise < tolerance) | (state.length < _SHORTEST)


def _update(state: _State, s: Tensor, y: Tensor) -> None:
    """BFGS update of the inverse Hessians where the curvature is positive."""
    sy = (s * y).sum(1)
    hy = _times(state.inverse, y)
    yhy = (y * hy).sum(1)
    good = sy > 1e-6 * (s.square().sum(1) * y.square().sum(1)).sqrt().clamp_min(1e-12)
    # Before its first update the matrix takes the scale of the curvature just seen.
    rescale = torch.where(state.fresh & good, sy / yhy.clamp_min(1e-12), 1.0)
    state.inverse = state.inverse * rescale[:, None, None]
    hy, yhy = hy * rescale[:, None], yhy * rescale
    state.fresh &= ~good
    weight = torch.where(good, 1 / sy, 0.0)[:, None]
    left = torch.stack((s, hy), dim=2)
    right = torch.stack((((1 + yhy[:, None] * weight) * s - hy) * weight, -s * weight), dim=1)
    state.inverse = torch.baddbmm(state.inverse, left, right)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]


def _write(pose: Pose, state: _State) -> Pose:
    """Copy the state's poses into their rows among all poses."""
    return Pose(
        pose.conformer,
        pose.centre.index_copy(0, state.index, state.pose.centre),
        pose.rotation.index_copy(0, state.index, state.pose.rotation),
        pose.torsions.index_copy(0, state.index, state.pose.torsions),
    )
