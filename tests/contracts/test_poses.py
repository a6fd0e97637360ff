"""Every stepper on poses, R^3 x SO(3) x T^r, against targets whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import roma
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Gaussian, Geodesic, Product
from moldiff.diffusion.sampler import Sampler, State
from moldiff.diffusion.space import SO3, Euclidean, Manifold, Torus

STEPPERS = registry.names("stepper")
ROTORS = 4


def poses(schedule: str) -> Product:
    made = registry.build("schedule", schedule)
    return Product(
        {
            "translation": Gaussian(made, Euclidean(), 2.5),
            "rotation": Geodesic(made, SO3()),
            "torsions": Geodesic(made, Torus()),
        }
    )


@dataclass(frozen=True, eq=False)
class PointMass(Denoiser):
    """The exact denoiser of data that are one pose."""

    process: Product
    pose: Batch

    def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        return self.pose


FRESH = ("annealed", "consistency")  # draw noise afresh whatever the churn


@pytest.mark.parametrize("churn", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("schedule", registry.names("schedule"))
@pytest.mark.parametrize("stepper", STEPPERS)
def test_one_pose_is_reached_along_geodesics(
    stepper: str, schedule: str, churn: float, make: Callable[..., Any], rng: torch.Generator
) -> None:
    b, process = 40, poses(schedule)
    one = process.prior(1, 0, ROTORS, rng=rng)
    denoiser = PointMass(process, one.map(lambda v: v.expand(b, *v.shape[1:])))
    x_1 = process.prior(b, 0, ROTORS, rng=rng)
    settings = {} if stepper == "consistency" else {"churn": churn}
    chosen = make("stepper", stepper, **settings)
    if chosen.refusal(process) is not None:
        pytest.skip("refused")
    for state in Sampler(6, chosen).trajectory(denoiser, x_1, rng=rng):
        for field in ("rotation", "torsions"):
            part = process[field]
            assert isinstance(part, Geodesic)
            w = float(part.way(torch.tensor(state.t)))
            angle = part.space.angle(state.x[field], denoiser.pose[field])
            # However much is drawn afresh, x_t is at most w half turns away from the data ...
            assert angle.max() <= w * math.pi + 1e-4
            # ... and without, it stays on the geodesic it began on.
            if churn == 0 and stepper not in FRESH:
                whole = part.space.angle(x_1[field], denoiser.pose[field])
                torch.testing.assert_close(angle, w * whole, rtol=0, atol=2e-4)
    assert all(torch.equal(state.x[f], denoiser.pose[f]) for f in process.processes)


@dataclass(frozen=True, eq=False)
class TwoPoints(Denoiser):
    """The exact denoiser of data that are one of two points with probabilities p.

    The velocity of the flow is the posterior mean of log_{x_t}(x_0) / w (Chen & Lipman 2024,
    section 3), so the exact prediction is the exponential of that mean at x_t.
    """

    process: Product
    points: dict[str, Tensor]  # (2, ...) per field
    p: Tensor

    def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        field = next(iter(x_t))
        part = self.process[field]
        assert isinstance(part, Geodesic)
        logs = [self._log(part.space, x_t[field], x_0) for x_0 in self.points[field]]
        w = part.way(t[:1].double())
        angle = torch.stack([v.norm(dim=-1) for v in logs]).double()
        density = self._density(part.space, angle, w) * self.p[:, None].double()
        # What a finite step put beyond the reach of both points belongs to the nearer one.
        density = density + 1e-30 * torch.softmax(-1e3 * angle, 0)
        weight = (density / density.sum(0)).float().unsqueeze(-1)
        mean = weight[0] * logs[0] + weight[1] * logs[1]
        if isinstance(part.space, SO3):
            return Batch({field: x_t[field] @ roma.rotvec_to_rotmat(mean)})
        return Batch({field: part.space.project(x_t[field] + mean)})

    @staticmethod
    def _log(space: Manifold, x: Tensor, x_0: Tensor) -> Tensor:
        if isinstance(space, SO3):
            return roma.rotmat_to_rotvec(x.transpose(-1, -2) @ x_0)  # type: ignore[no-any-return]
        return space.project(x_0 - x)

    @staticmethod
    def _density(space: Manifold, angle: Tensor, w: Tensor) -> Tensor:
        """Density of x_t at an angle from x_0, up to a factor: uniform noise drawn in by w."""
        inside = (angle <= w * math.pi).double()
        if isinstance(space, SO3):
            haar = (1 - torch.cos(angle / w)) / (1 - torch.cos(angle)).clamp_min(1e-12)
            return inside * haar
        return inside


POINTS = {
    "rotation": roma.rotvec_to_rotmat(torch.tensor([[0.3, -0.5, 0.2], [-1.2, 0.4, 1.5]])),
    "torsions": torch.tensor([[0.5], [-1.9]]),
}


@pytest.mark.parametrize("schedule", ["rectified", "cosine"])
@pytest.mark.parametrize("field", POINTS)
@pytest.mark.parametrize("stepper", ["ancestral", "midpoint", "multistep"])
def test_two_points_are_found_as_often_as_they_should(
    stepper: str, field: str, schedule: str, rng: torch.Generator
) -> None:
    b, p = 1500, torch.tensor([0.3, 0.7])
    process = Product({field: poses(schedule)[field]})
    part = process[field]
    assert isinstance(part, Geodesic)
    x_1 = process.prior(b, 0, 1, rng=rng)
    sampler = Sampler(50, registry.build("stepper", stepper))
    x = sampler.sample(TwoPoints(process, POINTS, p), x_1, rng=rng)[field]
    distances = torch.stack([part.space.distance(x, x_0.expand_as(x)) for x_0 in POINTS[field]])
    assert (distances.min(0).values < 0.1).float().mean() > 0.98
    found = (distances[0] < distances[1]).float().mean().item()
    assert abs(found - 0.3) < 5 * (0.21 / b) ** 0.5


@dataclass(frozen=True, eq=False)
class Smooth(Denoiser):
    """A prediction that changes smoothly with x_t and t, and is no linear function of them."""

    process: Product

    def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        (field,) = x_t
        x, space = x_t[field], self.process[field].space
        if isinstance(space, SO3):
            return Batch({field: roma.rotvec_to_rotmat(0.9 * x[..., 0] + t[:, None].sin())})
        shape = (-1, *[1] * (x.ndim - 1))
        return Batch({field: space.project(0.8 * x.sin() + t.reshape(shape).cos())})


CURVED = {
    "translation": ("gaussian", "euclidean", (3,)),
    "positions": ("gaussian", "zero_com", (4, 3)),
    "rotation": ("geodesic", "so3", (3, 3)),
    "torsions": ("geodesic", "torus", (ROTORS,)),
}
ORDERS = {"ancestral": 1, "midpoint": 2, "multistep": 2, "heun": 2}


@pytest.mark.parametrize("schedule", ["rectified", "ve"])
@pytest.mark.parametrize("field", CURVED)
@pytest.mark.parametrize("stepper", ORDERS)
def test_order_of_convergence(
    stepper: str, field: str, schedule: str, make: Callable[..., Any], rng: torch.Generator
) -> None:
    """Steps from t = 0.8 to 0.4, against very many of them, of a flow without a closed form."""
    name, space, shape = CURVED[field]
    process = Product({field: make("process", name, schedule=schedule, space=space)})
    x_1 = process[field].space.prior((8, *shape), rng=rng)

    def end(stepper: str, steps: int) -> Tensor:
        made, denoiser = make("stepper", stepper), Smooth(process)
        times = torch.linspace(0.8, 0.4, steps + 1, dtype=torch.float64).tolist()
        state = State(Batch({field: x_1}), None, times[0])
        for s in times[1:]:
            x, prediction = made.step(denoiser, state, s, rng=rng)
            state = State(x, prediction, s, state.step + 1, state.t, steps)
        return state.x[field]

    truth = end("midpoint", 120)
    errors = [process[field].space.distance(end(stepper, n), truth).mean() for n in (6, 12, 24)]
    slope = (errors[0] / errors[2]).log2().item() / 2
    assert slope > {1: 0.8, 2: 1.7}[ORDERS[stepper]]
    assert errors[2] < errors[1] < errors[0]
