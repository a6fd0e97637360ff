"""Every process under every schedule: forward composes, reverse undoes it exactly."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import roma
import torch
from torch import Tensor
from torch.nn import functional as F

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.process import Flow, Gaussian, Geodesic, Jump, Process, Product
from moldiff.diffusion.schedule import Cosine, Rectified
from moldiff.diffusion.space import SO3, Categorical, Euclidean, Flat, Torus
from moldiff.errors import ConfigError
from tests.shapes import unchecked

B, N = 20_000, 4
NOISES = {
    "uniform": (0.25, 0.25, 0.25, 0.25),
    "marginal": (0.7, 0.2, 0.09, 0.01),
    "mask": (0.0, 0.0, 0.0, 1.0),
}


# Every registered process, in each of the spaces and with each kind of scale it is made for; all
# of them at all schedules.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "geodesic": {"so3": {"space": "so3"}, "torus": {"space": "torus"}},
    "gaussian": {"": {}, "size": {"scale": {"spread": 1.9, "atoms": 9.0, "exponent": 0.4}}},
}
PROCESSES = [
    (name, setting, settings)
    for name in registry.names("process")
    for setting, settings in SETTINGS.get(name, {"": {}}).items()
]
CASES = list(itertools.product(PROCESSES, registry.names("schedule")))


@pytest.fixture(params=CASES, ids=[f"{n}-{s}-{t}" for (n, s, _), t in CASES])
def process(request: pytest.FixtureRequest, make: Callable[..., Any]) -> Process:
    (name, _, settings), schedule = request.param
    built: Process = make("process", name, schedule=schedule, **settings)
    return built


VECTORS = torch.tensor([[0.3, -2, 0], [1, 1, 1], [-1, 0, 4], [0, 0, 2.0]])


def data(process: Process, b: int = B) -> Tensor:
    """b equal graphs of N different sites."""
    if isinstance(process.space, Categorical):
        site = torch.arange(N) % process.space.classes
    elif isinstance(process.space, SO3):
        site = roma.rotvec_to_rotmat(0.7 * VECTORS)
    elif isinstance(process.space, Torus):
        site = torch.tensor([0.3, 2.5, -1.5, -3.0])
    else:
        site = process.space.project(VECTORS)
    return site.expand(b, *site.shape)


def certain(process: Process, x_0: Tensor) -> Tensor:
    """The prediction that is sure of x_0."""
    if isinstance(process.space, Categorical):
        return 60.0 * F.one_hot(x_0, process.space.classes)
    return x_0.clone()


def at(time: float, b: int = B) -> Tensor:
    return torch.full((b,), float(time))


def assert_same_distribution(a: Tensor, b: Tensor) -> None:
    """Equal mean and variance, or class frequencies, of every site: within 5 standard errors."""
    if not a.is_floating_point():
        k = int(max(a.max(), b.max())) + 1
        a, b = F.one_hot(a, k).float(), F.one_hot(b, k).float()
    count = len(a)
    variances = a.var(0), b.var(0)
    error = ((variances[0] + variances[1]) / count).sqrt()
    assert ((a.mean(0) - b.mean(0)).abs() <= 5 * error + 1e-5).all()
    fourth = [
        ((x - x.mean(0)) ** 4).mean(0) - v**2 for x, v in ((a, variances[0]), (b, variances[1]))
    ]
    error = ((fourth[0] + fourth[1]).clamp_min(0) / count).sqrt()
    assert ((variances[0] - variances[1]).abs() <= 5 * error + 1e-5).all()


@pytest.mark.parametrize(("s", "t"), [(0.3, 0.7), (0.6, 0.999)])
def test_forward_composes(process: Process, s: float, t: float, rng: torch.Generator) -> None:
    if isinstance(process, Geodesic):
        return  # no kernel of a geodesic process does without x_0: see the next test
    x_0 = data(process)
    x_s = process.forward(x_0, at(0), at(s), rng=rng)
    once = process.forward(x_0, at(0), at(t), rng=rng)
    assert_same_distribution(process.forward(x_s, at(s), at(t), rng=rng), once)


@pytest.mark.parametrize(("s", "t"), [(0.0, 0.4), (0.3, 0.7), (0.6, 0.999)])
def test_geodesics_compose(process: Process, s: float, t: float, rng: torch.Generator) -> None:
    """With the noise at its end given, the path is one path, forwards and backwards."""
    if not isinstance(process, Geodesic):
        return
    x_0, b = data(process, 300), 300
    noise = process.prior(tuple(x_0.shape), rng=rng)
    x_s = process.forward(x_0, at(0, b), at(s, b), rng=rng, noise=noise)
    x_t = process.forward(x_0, at(0, b), at(t, b), rng=rng, noise=noise)
    close = {"rtol": 0, "atol": 1e-4}
    on = process.forward(x_s, at(s, b), at(t, b), rng=rng, noise=noise)
    torch.testing.assert_close(process.space.distance(on, x_t), torch.zeros(b), **close)
    back = process.reverse(x_t, x_0, at(t, b), at(s, b), eta=0.0, rng=rng)
    torch.testing.assert_close(process.space.distance(back, x_s), torch.zeros(b), **close)
    w = process.way(at(t, b)).unsqueeze(1)
    angles = process.space.angle(x_0, x_t), w * process.space.angle(x_0, noise)
    torch.testing.assert_close(*angles, **close)


@pytest.mark.parametrize("name", registry.names("schedule"))
def test_the_way_runs_from_data_to_noise(name: str, make: Callable[..., Any]) -> None:
    way = make("process", "geodesic", schedule=name).way(torch.linspace(0, 1, 101))
    assert way[0] == 0 and way[-1] == 1 and (way.diff() > 0).all()
    if name == "rectified":
        torch.testing.assert_close(way, torch.linspace(0, 1, 101))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("s", "t"), [(0.3, 0.5), (0.4, 0.999)])
def test_reverse_with_the_truth_undoes_forward(
    process: Process, s: float, t: float, eta: float, rng: torch.Generator
) -> None:
    x_0 = data(process)
    x_t = process.forward(x_0, at(0), at(t), rng=rng)
    x_s = process.reverse(x_t, certain(process, x_0), at(t), at(s), eta=eta, rng=rng)
    assert x_s.dtype == x_t.dtype
    assert_same_distribution(x_s, process.forward(x_0, at(0), at(s), rng=rng))


def test_reverse_to_zero_gives_the_prediction(process: Process, rng: torch.Generator) -> None:
    x_0 = data(process, 500)
    x_t = process.forward(x_0, at(0, 500), at(0.5, 500), rng=rng)
    x_s = process.reverse(x_t, certain(process, x_0), at(0.5, 500), at(0, 500), eta=1.0, rng=rng)
    # What VE and polynomial leave at t = 0 is sigma(0), below a hundredth.
    assert (x_s - x_0).abs().max() < 0.05
    assert torch.equal(process.mode(certain(process, x_0)), x_0)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_step_of_no_length_changes_nothing(
    process: Process, eta: float, rng: torch.Generator
) -> None:
    if process.driven_by == "churn" and eta > 0:
        return  # churn redraws even in a step of no length: that is its purpose
    for time in (0.001, 0.5, 0.999):
        t = at(time, 100)
        x_t = process.forward(data(process, 100), at(0, 100), t, rng=rng)
        guess = certain(process, data(process, 100).flip(1))
        assert torch.equal(process.forward(x_t, t, t, rng=rng), x_t)
        x_s = process.reverse(x_t, guess, t, t, eta=eta, rng=rng)
        torch.testing.assert_close(x_s, x_t, rtol=1e-4, atol=1e-4)


def test_all_data_ends_as_the_prior(process: Process, rng: torch.Generator) -> None:
    one = torch.ones(1)
    geodesic = isinstance(process, Geodesic)  # its noise is always the end of the way
    if process.schedule.alpha(one) > 0.01 and not geodesic:
        pytest.skip("this schedule hides the data under noise without removing it")
    x_1 = process.forward(data(process), at(0), at(1), rng=rng)
    prior = process.prior(tuple(x_1.shape), rng=rng)
    rest = process.schedule.alpha(one) * data(process) if isinstance(process, Gaussian) else 0
    if process.schedule.alpha(one) < 1e-3 or x_1.is_floating_point():
        assert_same_distribution(x_1 - rest, prior)


def test_given_noise_is_used(process: Process) -> None:
    noise = process.prior((50, *data(process).shape[1:]), rng=torch.Generator().manual_seed(5))
    x_0, times = data(process, 50), (at(0, 50), at(0.6, 50))
    drawn = [
        process.forward(x_0, *times, rng=torch.Generator().manual_seed(seed), noise=noise)
        for seed in (1, 2)
    ]
    if x_0.is_floating_point():
        assert torch.equal(*drawn)
    else:  # whether a class is kept is drawn, what replaces it is given
        assert all(((x == x_0) | (x == noise)).all() for x in drawn)


def test_loss_is_least_for_the_truth(process: Process) -> None:
    x_0 = data(process, 3)
    truth, wrong = certain(process, x_0), certain(process, x_0.flip(1))
    assert process.loss(truth, x_0).shape == (3,)
    assert process.loss(truth, x_0).abs().max() < 1e-6
    assert (process.loss(wrong, x_0) > 1).all()


def test_inputs_are_kept(process: Process, rng: torch.Generator) -> None:
    x_0 = data(process, 20).clone()
    t, s = at(0.6, 20), at(0.2, 20)
    noise = process.prior(tuple(x_0.shape), rng=rng)
    guess = certain(process, x_0).float()
    given = {"x_0": x_0, "t": t, "s": s, "noise": noise, "guess": guess}
    held = {name: value.clone() for name, value in given.items()}
    x_t = process.forward(x_0, s, t, rng=rng, noise=noise)
    x_t_before = x_t.clone()
    process.reverse(x_t, guess, t, s, eta=1.0, rng=rng)
    process.loss(guess, x_0)
    process.mode(guess)
    assert all(torch.equal(given[name], held[name]) for name in held)
    assert torch.equal(x_t, x_t_before)


def test_every_process_says_what_drives_it(process: Process) -> None:
    assert process.driven_by in ("eta", "churn")
    if isinstance(process, Flow):
        signal = process.half_log_snr(torch.linspace(0.01, 0.99, 50, dtype=torch.float64))
        assert (signal.diff() < 0).all() and signal.isfinite().all()


@pytest.mark.parametrize("space", ["so3", "torus", {"name": "categorical", "probabilities": [1.0]}])
def test_gaussian_noise_needs_straight_lines(space: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"(?s)space.*zero_com"):
        make("process", "gaussian", space=space)


@pytest.mark.parametrize("space", [{"name": "categorical", "probabilities": [1.0]}, "zero_com"])
def test_geodesics_need_uniform_noise(space: Any, make: Callable[..., Any]) -> None:
    with unchecked(), pytest.raises(ConfigError, match="torus"):
        make("process", "geodesic", space=space)


def test_loss_without_rotors_is_zero(rng: torch.Generator) -> None:
    process = Geodesic(Rectified(), Torus())
    nothing = process.prior((3, 0), rng=rng)
    assert torch.equal(process.loss(nothing, nothing), torch.zeros(3))


@pytest.mark.parametrize("name", registry.names("schedule"))
def test_gaussian_moments(name: str, make: Callable[..., Any], rng: torch.Generator) -> None:
    process = make("process", "gaussian", schedule=name, space="euclidean", scale=1.7)
    x_0, t = data(process), 0.7
    x_t = process.forward(x_0, at(0), at(t), rng=rng)
    alpha, sigma = (f(torch.tensor(t)).item() for f in (process.schedule.alpha, process.sigma))
    error = sigma / B**0.5
    assert (x_t.mean(0) - alpha * x_0[0]).abs().max() < 5 * error
    assert (x_t.var(0) / sigma**2 - 1).abs().max() < 5 * (2 / B) ** 0.5


@pytest.mark.parametrize("scale", [-1, 0, float("inf"), float("nan")])
def test_a_scale_is_above_0(scale: float) -> None:
    settings = {"name": "gaussian", "schedule": "cosine", "scale": scale}
    with pytest.raises(ConfigError, match="'scale' must be a number"):
        registry.build("process", settings)


@dataclass(frozen=True)
class Axes(Flat):
    """R^3 whose noise is its third unit vector: what is drawn can be told from what is given."""

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        return torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(shape)


def coefficients(schedule: str, s: float, t: float, eta: float) -> tuple[float, float, float]:
    """What x_s has of x_t, of x_0 and of unit noise in Å."""
    process = Gaussian(registry.build("schedule", schedule), Axes(), 1.7)
    x_t, x_0 = torch.eye(3, dtype=torch.float64)[:2, None]
    times = (torch.tensor([v], dtype=torch.float64) for v in (t, s))
    x_s = process.reverse(x_t, x_0, *times, eta=eta, rng=torch.Generator())
    first, second, third = x_s[0].tolist()
    return first, second, third


STEPS = [(0.0, 0.3), (0.3, 0.31), (0.2, 0.7), (0.6, 0.95), (0.01, 0.999)]
EVERY_STEP = list(itertools.product(registry.names("schedule"), STEPS))


def levels(schedule: str, *times: float) -> list[tuple[float, float]]:
    """alpha and sigma in Å at each time, in double precision."""
    built = registry.build("schedule", schedule)
    at = [torch.tensor(v, dtype=torch.float64) for v in times]
    return [(float(built.alpha(v)), 1.7 * float(built.sigma(v))) for v in at]


@pytest.mark.parametrize(("schedule", "step"), EVERY_STEP)
def test_with_all_randomness_a_step_is_the_posterior(
    schedule: str, step: tuple[float, float]
) -> None:
    """q(x_s | x_t, x_0) by conditioning the joint normal distribution of x_s and x_t on x_t."""
    (alpha_s, sigma_s), (alpha_t, sigma_t) = levels(schedule, *step)
    # Forward from s to t, x_t = ratio x_s + noise: Cov(x_s, x_t) = ratio Var(x_s).
    covariance = alpha_t / alpha_s * sigma_s**2
    slope = covariance / sigma_t**2
    variance = sigma_s**2 - covariance * slope
    of_x_t, of_x_0, of_noise = coefficients(schedule, *step, eta=1.0)
    # 1e-9: double precision, but for what cancels in 1 - (ratio of two numbers near to 1).
    assert of_x_t == pytest.approx(slope, abs=1e-9)
    assert of_x_0 == pytest.approx(alpha_s - slope * alpha_t, abs=1e-9)
    assert of_noise**2 == pytest.approx(variance, abs=1e-9)


def preserves_variance(schedule: str) -> bool:
    ((alpha, sigma),) = levels(schedule, 0.5)
    return abs(alpha**2 + (sigma / 1.7) ** 2 - 1) < 1e-9


@pytest.mark.parametrize(("schedule", "step"), [c for c in EVERY_STEP if preserves_variance(c[0])])
def test_the_posterior_is_that_of_ho_et_al(schedule: str, step: tuple[float, float]) -> None:
    """Their equation 7, in their symbols, where variance is preserved."""
    built = registry.build("schedule", schedule)
    s, t = (torch.tensor(v, dtype=torch.float64) for v in step)
    before, after = float(built.alpha(s) ** 2), float(built.alpha(t) ** 2)  # alpha-bar
    alpha, beta = after / before, 1 - after / before
    of_x_t, of_x_0, of_noise = coefficients(schedule, *step, eta=1.0)
    assert of_x_0 == pytest.approx(before**0.5 * beta / (1 - after), abs=1e-9)
    assert of_x_t == pytest.approx(alpha**0.5 * (1 - before) / (1 - after), abs=1e-9)
    beta_tilde = (1 - before) / (1 - after) * beta
    assert of_noise == pytest.approx(1.7 * beta_tilde**0.5, abs=1e-9)


@pytest.mark.parametrize(("schedule", "step"), EVERY_STEP)
def test_without_randomness_a_step_is_that_of_ddim(
    schedule: str, step: tuple[float, float]
) -> None:
    """Song et al. (DDIM, 2021), equation 12 with sigma = 0: the predicted noise stays."""
    (alpha_s, sigma_s), (alpha_t, sigma_t) = levels(schedule, *step)
    of_x_t, of_x_0, of_noise = coefficients(schedule, *step, eta=0.0)
    assert of_x_t == pytest.approx(sigma_s / sigma_t, abs=1e-9)
    assert of_x_0 == pytest.approx(alpha_s - sigma_s / sigma_t * alpha_t, abs=1e-9)
    assert of_noise == 0


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("schedule", "step"), EVERY_STEP)
def test_a_step_of_any_randomness_keeps_the_marginals(
    schedule: str, step: tuple[float, float], eta: float
) -> None:
    (alpha_s, sigma_s), (alpha_t, sigma_t) = levels(schedule, *step)
    of_x_t, of_x_0, of_noise = coefficients(schedule, *step, eta=eta)
    assert of_x_t * alpha_t + of_x_0 == pytest.approx(alpha_s, abs=1e-9)
    variance = (of_x_t * sigma_t) ** 2 + of_noise**2
    assert variance == pytest.approx(sigma_s**2, abs=1e-9)


def test_the_deterministic_step_of_the_straight_path_is_eulers(rng: torch.Generator) -> None:
    process = Gaussian(Rectified(), Euclidean(), 1.3)
    x_t, x0_hat = (torch.randn(7, 4, 3, generator=rng) for _ in range(2))
    t, s = at(0.6, 7), at(0.45, 7)
    x_s = process.reverse(x_t, x0_hat, t, s, eta=0.0, rng=rng)
    velocity = (x_t - x0_hat) / 0.6  # d x_t / d t = z - x_0
    torch.testing.assert_close(x_s, x_t + (0.45 - 0.6) * velocity)


def brute_force(pi: Tensor, guess: Tensor, x_t: int, alpha_t: float, alpha_s: float) -> Tensor:
    """p(x_s | x_t) by Bayes' rule, one x_0 and one x_s after the other, (k,)."""
    k, keep = len(pi), alpha_t / alpha_s
    total = torch.zeros(k, dtype=torch.float64)
    for x_0 in range(k):
        joint = torch.stack(
            [
                (alpha_s * (x_s == x_0) + (1 - alpha_s) * pi[x_s])
                * (keep * (x_t == x_s) + (1 - keep) * pi[x_t])
                for x_s in range(k)
            ]
        )
        if joint.sum() > 0:  # else this x_0 cannot have led to x_t
            total += guess[x_0] * joint / joint.sum()
    return total / total.sum()


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("s", "t"), [(0.2, 0.5), (0.0, 0.3), (0.9, 1.0), (0.0, 1.0), (0.49, 0.5)])
def test_the_reverse_kernel_is_bayes_rule(
    noise: str, s: float, t: float, rng: torch.Generator
) -> None:
    process = Jump(Rectified(), Categorical(NOISES[noise]))
    pi = torch.tensor(NOISES[noise], dtype=torch.float64)
    logits = 2 * torch.randn(1, 4, 4, generator=rng)
    x_t = torch.arange(4).unsqueeze(0)
    found = process.posterior(x_t, logits, at(t, 1), at(s, 1)).double()
    alpha_t, alpha_s = 1 - t, 1 - s
    for site in range(4):
        if pi[site] == 0 and alpha_t == 0:
            continue  # cannot happen
        guess = logits[0, site].double().softmax(-1)
        expected = brute_force(pi, guess, site, alpha_t, alpha_s)
        row = found[0, site] / found[0, site].sum()
        torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-6)


def test_an_unmasked_class_stays_whatever_the_prediction(rng: torch.Generator) -> None:
    """Under mask noise a visible class is the truth, even if the network is sure it is not."""
    process = Jump(Rectified(), Categorical(NOISES["mask"]))
    x_t = torch.tensor([[0, 1, 2]])
    sure = torch.tensor([[[-300.0, 300.0, -300.0, -300.0]]]).expand(1, 3, 4)
    assert torch.equal(process.reverse(x_t, sure, at(0.5, 1), at(0.4, 1), eta=1.0, rng=rng), x_t)


def test_cross_entropy_is_per_graph(rng: torch.Generator) -> None:
    process = Jump(Cosine(), Categorical((0.5, 0.3, 0.2)))
    logits, x_0 = torch.randn(4, 6, 3, generator=rng), torch.randint(3, (4, 6), generator=rng)
    expected = [-logits[i].log_softmax(-1)[range(6), x_0[i]].mean() for i in range(4)]
    torch.testing.assert_close(process.loss(logits, x_0), torch.stack(expected))


CONFIG: dict[str, Any] = {
    "positions": {"name": "gaussian", "schedule": "cosine", "space": "zero_com", "scale": 1.3},
    "types": {
        "name": "jump",
        "schedule": {"name": "linear_vp", "beta_max": 15.0},
        "space": {"name": "categorical", "probabilities": [0.5, 0.25, 0.25]},
    },
    "bonds": {
        "name": "jump",
        "schedule": "rectified",
        "space": {"name": "categorical", "probabilities": [0.5, 0.25, 0.125, 0.125]},
    },
}


def test_a_product_is_its_processes(rng: torch.Generator) -> None:
    product = Product.from_config(CONFIG)
    again = Product.from_config(product.to_config())
    assert dict(again.processes) == dict(product.processes)
    assert product.categorical() == {"types": 3, "bonds": 4}
    assert list(product.gaussian()) == ["positions"]
    x_1 = product.prior(2, 5, rng=rng)
    assert {k: tuple(v.shape) for k, v in x_1.items()} == {
        "positions": (2, 5, 3),
        "types": (2, 5),
        "bonds": (2, 10),
    }
    t, s = at(1, 2), at(0.5, 2)
    guess = Batch(
        {
            "positions": x_1["positions"],
            "types": F.one_hot(x_1["types"], 3) * 60.0,
            "bonds": F.one_hot(x_1["bonds"], 4) * 60.0,
        }
    )
    x_s = product.reverse(x_1, guess, t, s, eta=0.0, churn=0.0, rng=rng)
    assert set(x_s) == set(x_1)
    x_t = product.forward(x_1, at(0, 2), at(0, 2), rng=rng)
    mode = product.mode(guess)
    mixed = product.mix(guess, guess.map(lambda v: 0 * v), dict.fromkeys(guess, 1.0))
    for name in x_1:
        torch.testing.assert_close(x_t[name], x_1[name])
        assert torch.equal(mode[name], x_1[name])
        assert (mixed[name] == 0).all()


POSE: dict[str, Any] = {
    "torsions": {"name": "geodesic", "schedule": "rectified", "space": "torus"},
    "rotation": {"name": "geodesic", "schedule": "rectified", "space": "so3"},
    "translation": {"name": "gaussian", "schedule": "cosine", "space": "euclidean", "scale": 2.5},
}


@pytest.mark.parametrize("r", [0, 6])
def test_a_product_of_poses(r: int, rng: torch.Generator) -> None:
    product = Product.from_config(POSE)
    assert Product.from_config(product.to_config()).to_config() == product.to_config()
    assert list(product.flows()) == ["translation", "rotation", "torsions"]
    assert list(product.gaussian()) == ["translation"] and not product.categorical()
    x_1 = product.prior(5, 9, r, rng=rng)
    shapes = {"translation": (5, 3), "rotation": (5, 3, 3), "torsions": (5, r)}
    assert {k: tuple(v.shape) for k, v in x_1.items()} == shapes
    again = product.noise_like(x_1, rng=rng)
    assert {k: tuple(v.shape) for k, v in again.items()} == shapes
    with pytest.raises(ValueError, match="rotors"):
        product.prior(5, 9, rng=rng)
    # eta drives the translation alone, churn the two others.
    for dial, driven in (("eta", {"translation"}), ("churn", {"rotation", "torsions"})):
        amount = {"eta": 0.0, "churn": 0.0, dial: 1.0}
        first, second = (
            product.reverse(x_1, again, at(1, 5), at(0.5, 5), rng=rng, **amount) for _ in range(2)
        )
        differ = {f for f in shapes if not torch.equal(first[f], second[f])}
        assert differ == driven - ({"torsions"} if r == 0 else set())


def test_the_order_of_fields_in_a_config_is_of_no_importance() -> None:
    """Random draws, inputs and heads follow the order of the product's fields."""
    turned = Product.from_config(dict(reversed(CONFIG.items())))
    assert list(turned.processes) == list(Product.from_config(CONFIG).processes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"postions": CONFIG["positions"]},
        {"positions": {**CONFIG["positions"], "scal": 1.0}},
        {"positions": {**CONFIG["positions"], "schedule": "cosin"}},
        {"positions": {"name": "gaussian"}},
        {"positions": None},
        {"types": {"name": "jump", "schedule": "cosine"}},
        {},
    ],
    ids=str,
)
def test_a_wrong_product_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Product.from_config(wrong)


def test_one_value_per_graph_has_no_centre_of_mass() -> None:
    process = {"name": "gaussian", "schedule": "cosine"}  # in zero_com unless said otherwise
    with pytest.raises(ConfigError, match=r"'translation' has one value.*space: euclidean"):
        Product.from_config({"translation": process})
    Product.from_config({"translation": {**process, "space": "euclidean"}})
