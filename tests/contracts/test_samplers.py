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
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.process import Gaussian, Jump, Product
from moldiff.diffusion.sampler import (
    Ancestral,
    Annealed,
    Grid,
    Heun,
    Langevin,
    LogSpaced,
    Midpoint,
    Multistep,
    Sampler,
    State,
    Stepper,
)
from moldiff.diffusion.schedule import Rectified, Schedule
from moldiff.diffusion.space import Categorical, Euclidean, Flat, ZeroCoM
from moldiff.errors import ConfigError
from tests.shapes import unchecked

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
    "heun churn 0.5": Heun(churn=0.5),
    "heun s_churn 8": Heun(s_churn=8.0),
    "langevin redraw 0.3": Langevin(redraw=0.3),
}
# Steppers that follow the probability-flow equation, and the order they claim.
ORDERS = {"ancestral": 1, "midpoint": 2, "multistep": 2, "heun": 2}
ORDERS |= {"ancestral churn 1": 1, "midpoint churn 0.5": 2, "multistep churn 1": 2}
ORDERS |= {"heun churn 0.5": 2}
# The others, with the order at which their distribution converges.
STOCHASTIC = {"ancestral eta 1": 1, "ancestral eta 0.5": 1, "ancestral eta 1 below 0.5": 1}
STOCHASTIC |= {"langevin": 1, "langevin redraw 0.3": 1, "annealed": 1, "heun s_churn 8": 2}
# Steppers of denoisers that give the end of the trajectory: exact in any number of steps.
EXACT = {"consistency": 1}
SCHEDULES = registry.names("schedule")
GRIDS = registry.names("grid")


def molecules(schedule: Schedule) -> Product:
    jumps = schedule if schedule.alpha(torch.ones(1)) < 0.01 else Rectified()
    return Product(
        {
            "positions": Gaussian(schedule, ZeroCoM(), SCALE),
            "types": Jump(jumps, Categorical(NOISE["types"])),
            "bonds": Jump(jumps, Categorical(NOISE["bonds"])),
        }
    )


def suits(stepper: str, schedule: str) -> bool:
    return STEPPERS[stepper].refusal(molecules(registry.build("schedule", schedule))) is None


def suited(stepper: str, wish: str) -> str:
    """The wished-for schedule, or where the stepper refuses it the one for which it is made."""
    return wish if suits(stepper, wish) else "ve"


COMBINATIONS = [c for c in itertools.product(STEPPERS, SCHEDULES) if suits(*c)]


@dataclass(frozen=True, eq=False)
class Basis(Flat):
    """R^d in which the k-th draw is the k-th unit vector (the first is the initial noise)."""

    drawn: list[int] = field(default_factory=list)

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        self.drawn.append(1)
        unit = torch.zeros(shape, dtype=torch.float64)
        unit[..., len(self.drawn)] = 1
        return unit


@dataclass(frozen=True, eq=False)
class End(Denoiser):
    """Gives x_0 at the end of the probability-flow equation of normal data through x_t.

    Along it every coordinate keeps its place in the distribution.
    """

    denoiser: GaussianDenoiser

    @property
    def process(self) -> Product:  # type: ignore[override]
        return self.denoiser.process

    def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        for name, p in self.process.gaussian().items():
            size = ((p.schedule.alpha(t) * SPREAD) ** 2 + p.sigma(t) ** 2).sqrt()
            prediction = prediction.replace(**{name: SPREAD / size[:, None, None] * x_t[name]})
        return prediction


def known(stepper: str, process: Product, frequencies: dict[str, Any]) -> Denoiser:
    """The denoiser whose answer is known, of the kind the stepper is for."""
    denoiser = GaussianDenoiser(process, SPREAD, frequencies)
    return End(denoiser) if stepper in EXACT else denoiser


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
    denoiser = known(stepper, Product({"positions": process}), {})
    draws = (1 + STEPPERS[stepper].evaluations) * steps
    x_1 = torch.zeros(1, 1, draws + 1, dtype=torch.float64)
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
    assert set(STEPPERS) == set(ORDERS) | set(STOCHASTIC) | set(EXACT), (
        "add the new stepper and its order"
    )
    assert {s for s, _ in COMBINATIONS} == set(STEPPERS)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("stepper", "schedule"), COMBINATIONS)
def test_spread_converges_to_that_of_the_data(stepper: str, schedule: str, grid: str) -> None:
    order = (ORDERS | STOCHASTIC | EXACT)[stepper]
    for which in (0, 1):  # the last noisy state; the sample
        coarse, fine = (spreads(stepper, schedule, grid, n)[which] - 1 for n in (24, 48))
        assert abs(fine) < 0.25
        assert abs(fine) < 0.65 * abs(coarse) + 4e-3
        # What remains when the error of leading order is taken out is of the next order.
        rest = (2**order * fine - coarse) / (2**order - 1)
        assert abs(rest) < 3 * coarse**2 + 0.012


@pytest.mark.parametrize(
    ("stepper", "schedule"),
    [c for c in COMBINATIONS if "churn" not in c[0].replace("s_churn", "") and c[0] not in EXACT],
)
def test_order_of_convergence(stepper: str, schedule: str) -> None:
    """Slope of the error of the spread, exact and free of statistics for random steppers too.

    At t = 1 the half log-SNR is infinite, where multistep takes its first steps at first order,
    and equal steps in t are long in log-SNR at both ends: slopes of a second-order stepper
    approach 2 slowly, as h^2 log(1/h) does.  A corrector has an error of its own, that of the
    length of its steps, which more levels make smaller but do not end.
    """
    few, many = (24, 96) if "annealed" in stepper else (48, 192)
    order = (ORDERS | STOCHASTIC)[stepper]
    errors = [abs(spreads(stepper, schedule, "power", n)[0] - 1) for n in (few, many)]
    if "langevin" not in stepper:
        slope = (torch.tensor(errors[0] / errors[1]).log2() / 2).item()
        assert slope > {1: 0.8, 2: 1.4}[order]
    assert errors[1] < {1: 3e-2, 2: 1.5e-3}[order]


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize(("stepper", "schedule"), [c for c in COMBINATIONS if c[0] in EXACT])
def test_few_steps_are_exact(stepper: str, schedule: str, steps: int) -> None:
    assert spreads(stepper, schedule, "power", steps)[1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("stepper", "schedule"), COMBINATIONS)
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
    b, n, steps = 1000, 5, 30
    schedule = suited(stepper, "cosine")
    process = molecules(registry.build("schedule", schedule))
    denoiser = known(stepper, process, FREQUENCIES)
    x = Sampler(steps, STEPPERS[stepper]).sample(denoiser, process.prior(b, n, rng=rng), rng=rng)
    positions = x["positions"]
    assert positions.mean(1).abs().max() < 1e-4
    degrees = 3 * (n - 1) * b  # the centre of mass is fixed
    variance = (spreads(stepper, schedule, "power", steps)[1] * SPREAD) ** 2
    assert abs(positions.square().sum() / degrees / variance - 1) < 5 * (2 / degrees) ** 0.5
    assert positions.mean(0).abs().max() < 5 * (variance / b) ** 0.5
    # Not only the variance: the fourth moment is that of a normal distribution.
    kurtosis = positions.pow(4).mean() / positions.square().mean() ** 2
    assert abs(kurtosis - 3) < 5 * (96 / degrees) ** 0.5
    for name, p in FREQUENCIES.items():
        found = x[name].flatten().bincount(minlength=len(p)) / x[name].numel()
        error = torch.tensor([5 * (q * (1 - q) / x[name].numel()) ** 0.5 for q in p])
        # The last draw is replaced by the most probable class, as seen at t = 1 / steps.
        unseen = float(1 - process[name].schedule.alpha(torch.tensor(1 / steps)))
        assert ((found - torch.tensor(p)).abs() <= error + unseen).all()


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
    process = molecules(registry.build("schedule", suited(stepper, "cosine")))
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
    process = molecules(registry.build("schedule", suited(stepper, "rectified")))
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
    ready = Sampler.from_config({"stepper": Heun(s_churn=2.0), "grid": LogSpaced()})
    assert ready == Sampler(50, Heun(s_churn=2.0), LogSpaced())


@pytest.mark.parametrize(
    "config",
    [
        {"step": 20},
        {"steps": "many"},
        {"steps": 0},
        {"steps": -3},
        {"stepper": "ancestrl"},
        {"stepper": {"name": "ancestral", "etta": 1}},
        {"stepper": {"name": "ancestral", "eta": "1e-3"}},
        {"stepper": "power"},
        {"stepper": LogSpaced()},
        {"grid": "powr"},
        {"grid": "heun"},
    ],
    ids=str,
)
def test_a_wrong_sampler_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Sampler.from_config(config)
    assert caught.value.fix


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"steps": 2.5}, {"stepper": "heun"}, {"grid": Heun()}], ids=str
)
def test_a_sampler_made_in_python_is_checked_as_well(wrong: dict[str, Any]) -> None:
    # Users do not have the type checks of the tests.
    with unchecked(), pytest.raises(ConfigError, match=f"In the sampler, '{next(iter(wrong))}'"):
        Sampler(**wrong)


def test_the_first_step_is_no_special_case() -> None:
    """Steps before and after t = 1 are equal in kind: two half trajectories make one."""
    process = Gaussian(Rectified(), Euclidean(), SCALE)
    denoiser = GaussianDenoiser(Product({"positions": process}), SPREAD, {})
    x_1 = Batch({"positions": torch.ones(1, 1, 3)})
    states = list(Sampler(8, Ancestral(0.0)).trajectory(denoiser, x_1, rng=torch.Generator()))
    step = Ancestral(0.0).step(denoiser, states[4], states[5].t, rng=torch.Generator())
    assert torch.equal(step[0]["positions"], states[5].x["positions"])


@pytest.mark.parametrize("settings", [{}, {"s_churn": 6.0, "s_tmax": 5.0, "s_noise": 1.01}])
def test_heun_is_algorithm_2(settings: dict[str, float]) -> None:
    """Against the paper's own steps, in sigma, on a variance-exploding schedule."""
    b, steps = 6, 12
    ve = registry.build("schedule", {"name": "ve", "sigma_max": 10.0})
    process = Gaussian(ve, Euclidean(), 1.0)
    denoiser = GaussianDenoiser(Product({"positions": process}), SPREAD, {})
    rng = torch.Generator().manual_seed(4)
    x = 10 * torch.randn(b, 2, 3, generator=rng)
    states = list(
        Sampler(steps, Heun(**settings)).trajectory(denoiser, Batch({"positions": x}), rng=rng)
    )

    def sigma(t: float) -> float:
        return 0.002 * 5000**t

    def slope(x: Tensor, level: float) -> Tensor:
        return (x - SPREAD**2 / (SPREAD**2 + level**2) * x) / level

    rng = torch.Generator().manual_seed(4)
    x = 10 * torch.randn(b, 2, 3, generator=rng)
    for state, after in itertools.pairwise(states[:-1]):
        torch.testing.assert_close(state.x["positions"], x, rtol=1e-3, atol=1e-4)
        level, lower = sigma(state.t), sigma(after.t)
        gamma = min(settings.get("s_churn", 0.0) / steps, 2**0.5 - 1)
        if gamma > 0 and level <= settings["s_tmax"]:
            raised = (1 + gamma) * level
            noise = settings["s_noise"] * torch.randn(x.shape, generator=rng)
            x, level = x + (raised**2 - level**2) ** 0.5 * noise, raised
        d = slope(x, level)
        euler = x + (lower - level) * d
        x = x + (lower - level) * 0.5 * (d + slope(euler, lower))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_annealed_refuses_what_shrinks(schedule: str, rng: torch.Generator) -> None:
    process = molecules(registry.build("schedule", schedule))
    sampler = Sampler(3, Annealed())
    if schedule == "ve":
        return sampler.check(process)
    denoiser = GaussianDenoiser(process, SPREAD, FREQUENCIES)
    with pytest.raises(ConfigError, match="'ve'") as caught:
        sampler.sample(denoiser, process.prior(2, 3, rng=rng), rng=rng)
    assert "heun" in caught.value.fix and "annealed" not in caught.value.fix
    return None


def test_correctors_keep_the_distribution(rng: torch.Generator) -> None:
    """Many corrections at one level: coordinates to the size of a step, classes exactly."""
    b, n = 800, 4
    process = molecules(Rectified())
    denoiser = GaussianDenoiser(process, SPREAD, FREQUENCIES)
    t = torch.full((b,), 0.5)
    x = process.prior(b, n, rng=rng)
    for _ in range(60):  # from anywhere
        x = process.correct(x, denoiser(x, t), t, eta=0.1, churn=0.3, rng=rng)
    degrees, level_ = 3 * (n - 1) * b, level(process.gaussian()["positions"], 0.5)
    found = float(x["positions"].square().sum() / degrees)
    assert abs(found / level_ - 1) < 0.05 + 5 * (2 / degrees) ** 0.5
    for name, p in FREQUENCIES.items():
        expected = 0.5 * torch.tensor(p) + 0.5 * torch.tensor(NOISE[name])
        values = x[name].flatten()
        found_ = values.bincount(minlength=len(p)) / len(values)
        assert ((found_ - expected).abs() <= 5 * (expected / len(values)).sqrt()).all()


@pytest.mark.parametrize(
    ("kind", "name", "settings"),
    [
        ("stepper", "ancestral", {"eta": 2.0}),
        ("stepper", "ancestral", {"churn": 1.5}),
        ("stepper", "ancestral", {"below": -0.1}),
        ("stepper", "multistep", {"churn": -0.5}),
        ("stepper", "heun", {"s_churn": -1.0}),
        ("stepper", "langevin", {"size": -0.1}),
        ("stepper", "langevin", {"corrections": -1}),
        ("stepper", "annealed", {"redraw": 2.0}),
        ("grid", "power", {"exponent": 0.0}),
        ("grid", "power", {"exponent": -1.0}),
        ("grid", "log", {"t_min": 0.0}),
        ("grid", "log", {"t_min": 1.0}),
        ("times", "kumaraswamy", {"b": 0.0}),
        ("times", "kumaraswamy", {"a": -1.0}),
        ("times", "logit_normal", {"std": 0.0}),
        ("times", "between", {"high": 1.5}),
    ],
)
def test_numbers_without_a_meaning_are_refused(
    kind: str, name: str, settings: dict[str, float]
) -> None:
    (key,) = settings
    with pytest.raises(ConfigError, match=f"'{key}'.* must be"):
        registry.build(kind, {"name": name, **settings})
    with pytest.raises(ConfigError, match=f"'{key}'.* must be"):
        registry.registered(kind, name)(**settings)
