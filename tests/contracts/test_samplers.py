"""Every stepper on every grid under every schedule, against data whose answer is known.

For normal data the exact denoiser is linear, so a sample is a linear combination of the
initial noise and of all noise drawn on the way.  `Basis` makes every draw a new axis
instead of a random number: the sample then *is* the list of these coefficients and its
squared length the exact variance.  Convergence is thus measured without statistics;
random draws are used only where distributions of classes and the centre of mass matter.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.batch import Batch
from moldiff.denoiser import Denoiser, GaussianDenoiser
from moldiff.errors import ConfigError
from moldiff.process import Gaussian, Jump, Product
from moldiff.sampler import Ancestral, Grid, Midpoint, Multistep, Sampler, State, Stepper
from moldiff.schedule import Rectified, Schedule
from moldiff.space import Categorical, Euclidean, Space, ZeroCoM

SPREAD, SCALE = 1.3, 1.7  # Å; different on purpose
FREQUENCIES = {"types": (0.6, 0.3, 0.1), "bonds": (0.7, 0.2, 0.07, 0.03)}
NOISE = {"types": (0.2, 0.3, 0.5), "bonds": (0.25, 0.25, 0.25, 0.25)}

STEPPERS: dict[str, Stepper] = {
    **{name: registry.build("stepper", name) for name in registry.names("stepper")},
    "ancestral eta 1": Ancestral(eta=1.0),
    "ancestral eta 0.5": Ancestral(eta=0.5),
    "ancestral eta 1 below 0.5": Ancestral(eta=1.0, below=0.5),
    "ancestral churn 1": Ancestral(churn=1.0),
    "midpoint churn 0.5": Midpoint(churn=0.5),
    "multistep churn 1": Multistep(churn=1.0),
}
# Steppers that follow the probability-flow equation, and the order they claim.
ORDERS = {"ancestral": 1, "midpoint": 2, "multistep": 2}
ORDERS |= {"ancestral churn 1": 1, "midpoint churn 0.5": 2, "multistep churn 1": 2}
STOCHASTIC = {"ancestral eta 1", "langevin", "ancestral eta 0.5", "ancestral eta 1 below 0.5"}
SCHEDULES = registry.names("schedule")
GRIDS = registry.names("grid")


@dataclass(frozen=True, eq=False)
class Basis(Space):
    """R^d in which the k-th draw is the k-th unit vector (the first is the initial noise)."""

    drawn: list[int] = field(default_factory=list)

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        self.drawn.append(1)
        unit = torch.zeros(shape, dtype=torch.float64)
        unit[..., len(self.drawn)] = 1
        return unit

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        return a + w * (b - a)

    def project(self, x: Tensor) -> Tensor:
        return x

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).flatten(1).norm(dim=1)


@contextmanager
def unchecked() -> Iterator[None]:
    """Leave shapes unchecked for a while: they are most of the time of a loop over tiny tensors."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def level(process: Gaussian, t: float) -> float:
    """Exact variance of x_t."""
    time = torch.tensor(t, dtype=torch.float64)
    return float((process.schedule.alpha(time) * SPREAD) ** 2 + process.sigma(time) ** 2)


@functools.cache
def spreads(stepper: str, schedule: str, grid: str, steps: int) -> tuple[float, float]:
    """Standard deviation, relative to the truth, of the last noisy state and of the sample.

    The sample's truth is that of E[x_0 | x_t] at the last noisy time, where sampling ends.
    """
    process = Gaussian(registry.build("schedule", schedule), Basis(), SCALE)
    denoiser = GaussianDenoiser(Product({"positions": process}), SPREAD, {})
    x_1 = torch.zeros(1, 1, 4 * steps, dtype=torch.float64)
    x_1[..., 0] = level(process, 1.0) ** 0.5
    sampler = Sampler(steps, STEPPERS[stepper], registry.build("grid", grid))
    with unchecked():
        states = list(
            sampler.trajectory(denoiser, Batch({"positions": x_1}), rng=torch.Generator())
        )
    noisy, sample = states[-2], states[-1]
    variances = [float(s.x["positions"].square().sum()) for s in (noisy, sample)]
    truth = level(process, noisy.t)
    return (variances[0] / truth) ** 0.5, (variances[1] / SPREAD**2) ** 0.5


def test_every_stepper_is_classified() -> None:
    assert set(STEPPERS) == set(ORDERS) | STOCHASTIC, "add the new stepper and its order"


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("stepper", STEPPERS)
def test_spread_converges_to_that_of_the_data(stepper: str, schedule: str, grid: str) -> None:
    order = ORDERS.get(stepper, 1)
    for which in (0, 1):  # the last noisy state; the sample
        coarse, fine = (spreads(stepper, schedule, grid, n)[which] - 1 for n in (24, 48))
        assert abs(fine) < 0.25
        assert abs(fine) < 0.65 * abs(coarse) + 4e-3
        # What remains when the error of leading order is taken out is of the next order.
        rest = (2**order * fine - coarse) / (2**order - 1)
        assert abs(rest) < 3 * coarse**2 + 0.012


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("stepper", ORDERS)
def test_order_of_convergence(stepper: str, schedule: str) -> None:
    """Slope of the error against the exact solution x_t = x_1 sqrt(v(t) / v(1)).

    At t = 1 the half log-SNR is infinite, where multistep takes its first steps at first order,
    and equal steps in t are long in log-SNR at both ends: slopes of a second-order stepper
    approach 2 slowly, as h^2 log(1/h) does.
    """
    errors = [abs(spreads(stepper, schedule, "power", n)[0] - 1) for n in (48, 192)]
    slope = (torch.tensor(errors[0] / errors[1]).log2() / 2).item()
    assert slope > {1: 0.85, 2: 1.4}[ORDERS[stepper]]
    assert errors[1] < {1: 1.5e-2, 2: 1.5e-3}[ORDERS[stepper]]


def molecules(schedule: Schedule) -> Product:
    jumps = schedule if schedule.alpha(torch.ones(1)) < 0.01 else Rectified()
    return Product(
        {
            "positions": Gaussian(schedule, ZeroCoM(), SCALE),
            "types": Jump(jumps, Categorical(NOISE["types"])),
            "bonds": Jump(jumps, Categorical(NOISE["bonds"])),
        }
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("stepper", STEPPERS)
def test_classes_have_their_frequencies_at_all_times(
    stepper: str, schedule: str, rng: torch.Generator
) -> None:
    """The reverse kernel of classes is exact, so any number of steps, here five, is enough."""
    b, n = 1500, 5
    process = molecules(registry.build("schedule", schedule))
    denoiser = GaussianDenoiser(process, SPREAD, FREQUENCIES)
    x_1 = process.prior(b, n, rng=rng)
    for state in Sampler(5, STEPPERS[stepper]).trajectory(denoiser, x_1, rng=rng):
        if state.t == 0:
            break  # the sample is the most probable class, not a draw
        for name, p in FREQUENCIES.items():
            alpha = process[name].schedule.alpha(torch.tensor(state.t))
            expected = alpha * torch.tensor(p) + (1 - alpha) * torch.tensor(NOISE[name])
            values = state.x[name].flatten()
            found = values.bincount(minlength=len(p)) / len(values)
            error = (expected * (1 - expected) / len(values)).sqrt()
            assert ((found - expected).abs() <= 5 * error + 0.5 * process_gap(process, name)).all()


def process_gap(process: Product, name: str) -> float:
    """How far the prior is from the exact distribution at t = 1 (0.007 for linear_vp)."""
    return float(process[name].schedule.alpha(torch.ones(())).clamp_min(0))


@pytest.mark.parametrize("stepper", STEPPERS)
def test_random_samples_have_the_known_moments(stepper: str, rng: torch.Generator) -> None:
    b, n, steps = 2000, 5, 30
    process = molecules(registry.build("schedule", "cosine"))
    denoiser = GaussianDenoiser(process, SPREAD, FREQUENCIES)
    x = Sampler(steps, STEPPERS[stepper]).sample(denoiser, process.prior(b, n, rng=rng), rng=rng)
    positions = x["positions"]
    assert positions.mean(1).abs().max() < 1e-4
    degrees = 3 * (n - 1) * b  # the centre of mass is fixed
    variance = (spreads(stepper, "cosine", "power", steps)[1] * SPREAD) ** 2
    assert abs(positions.square().sum() / degrees / variance - 1) < 5 * (2 / degrees) ** 0.5
    assert positions.mean(0).abs().max() < 5 * (variance / b) ** 0.5
    # Not only the variance: the fourth moment is that of a normal distribution.
    kurtosis = positions.pow(4).mean() / positions.square().mean() ** 2
    assert abs(kurtosis - 3) < 5 * (96 / degrees) ** 0.5
    for name, p in FREQUENCIES.items():
        found = x[name].flatten().bincount(minlength=len(p)) / x[name].numel()
        error = torch.tensor([5 * (q * (1 - q) / x[name].numel()) ** 0.5 for q in p])
        # The last draw is replaced by the most probable class, at alpha = cos(pi / 2 / steps).
        assert ((found - torch.tensor(p)).abs() <= error + 2e-3).all()


@pytest.mark.parametrize("steps", [1, 2, 3, 50, 1000])
@pytest.mark.parametrize("name", GRIDS)
def test_times_fall_from_one_to_zero(name: str, steps: int) -> None:
    times = registry.build("grid", name).times(steps)
    assert times.shape == (steps + 1,)
    assert times[0] == 1 and times[-1] == 0
    assert (times.diff() < 0).all()
    assert (times.float().diff() < 0).all()  # steppers work in single precision


@dataclass(frozen=True, eq=False)
class Counting(Denoiser):
    """Counts the graphs' evaluations and remembers the times."""

    denoiser: Denoiser
    times: list[float]

    @property
    def process(self) -> Product:  # type: ignore[override]
        return self.denoiser.process

    def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        held = x_t.map(Tensor.clone)
        prediction = self.denoiser(x_t, t, previous)
        self.times.append(float(t[0]))
        assert all(torch.equal(x_t[name], held[name]) for name in held)
        return prediction


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize(("stepper", "grid"), list(itertools.product(STEPPERS, GRIDS)))
def test_trajectory(stepper: str, grid: str, steps: int, rng: torch.Generator) -> None:
    process = molecules(registry.build("schedule", "cosine"))
    times: list[float] = []
    denoiser = Counting(GaussianDenoiser(process, SPREAD, FREQUENCIES), times)
    x_1 = process.prior(3, 4, rng=rng)
    held = x_1.map(Tensor.clone)
    chosen: Grid = registry.build("grid", grid)
    sampler = Sampler(steps, STEPPERS[stepper], chosen)
    states = list(sampler.trajectory(denoiser, x_1, rng=rng))
    assert [s.t for s in states] == chosen.times(steps).tolist()
    assert [s.step for s in states] == list(range(steps + 1))
    assert [s.made_at for s in states[1:]] == [s.t for s in states[:-1]]
    assert states[0].prediction is None and all(isinstance(s, State) for s in states)
    assert all(torch.equal(x_1[name], held[name]) for name in held)
    assert min(times) > 0 and max(times) == 1
    assert steps <= len(times) <= steps * STEPPERS[stepper].evaluations
    sample, prediction = states[-1].x, states[-1].prediction
    assert prediction is not None
    for name, shape in {"positions": (3, 4, 3), "types": (3, 4), "bonds": (3, 6)}.items():
        assert tuple(sample[name].shape) == shape
        assert sample[name].isfinite().all()
        assert sample[name].dtype == x_1[name].dtype


@pytest.mark.parametrize("stepper", STEPPERS)
def test_the_same_generator_gives_the_same_sample(stepper: str) -> None:
    process = molecules(registry.build("schedule", "rectified"))
    denoiser = GaussianDenoiser(process, SPREAD, FREQUENCIES)
    x_1 = process.prior(3, 4, rng=torch.Generator().manual_seed(0))
    sampler = Sampler(6, STEPPERS[stepper])
    first, again, other = (
        sampler.sample(denoiser, x_1, rng=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    # Only the probability-flow equation leaves the coordinates to the initial noise alone.
    assert torch.equal(first["positions"], other["positions"]) == (stepper in ORDERS)


def test_sampler_from_config() -> None:
    sampler = Sampler.from_config(
        {"steps": 7, "stepper": {"name": "ancestral", "eta": 0.3}, "grid": {"name": "power"}}
    )
    assert sampler == Sampler(7, Ancestral(eta=0.3))
    assert Sampler.from_config({}) == Sampler()


@pytest.mark.parametrize(
    "config",
    [
        {"step": 20},
        {"steps": "many"},
        {"steps": 0},
        {"steps": -3},
        {"stepper": "ancestrl"},
        {"stepper": {"name": "ancestral", "etta": 1}},
        {"grid": "powr"},
    ],
    ids=str,
)
def test_a_wrong_sampler_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Sampler.from_config(config)


def test_the_first_step_is_no_special_case() -> None:
    """Steps before and after t = 1 are equal in kind: two half trajectories make one."""
    process = Gaussian(Rectified(), Euclidean(), SCALE)
    denoiser = GaussianDenoiser(Product({"positions": process}), SPREAD, {})
    x_1 = Batch({"positions": torch.ones(1, 1, 3)})
    states = list(Sampler(8, Ancestral(0.0)).trajectory(denoiser, x_1, rng=torch.Generator()))
    step = Ancestral(0.0).step(denoiser, states[4], states[5].t, rng=torch.Generator())
    assert torch.equal(step[0]["positions"], states[5].x["positions"])
