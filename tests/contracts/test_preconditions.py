"""Every precondition under every schedule: the table of the module, as identities."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.denoiser.precondition import Precondition
from moldiff.diffusion.process import Gaussian
from moldiff.diffusion.schedule import derivative
from moldiff.diffusion.space import Euclidean

SCALE = 1.7
TIMES = torch.tensor([1e-4, 1e-3, 0.1, 0.3, 0.5, 0.8, 0.99, 1 - 2e-4], dtype=torch.float64)
FAINTEST = 5e-3  # alpha below which the noise is predicted as if it were that

# What the network should say of x_0 and z (standard normal, in units of the scale) at time t.
TARGETS: dict[str, Callable[[Gaussian, Tensor, Tensor, Tensor], Tensor]] = {
    "clean": lambda process, t, x_0, z: x_0,
    "noise": lambda process, t, x_0, z: (
        z
        + (a := process.schedule.alpha(t)).sub(a.clamp(min=FAINTEST))
        * x_0
        / process.schedule.sigma(t)
    ),
    "velocity": lambda process, t, x_0, z: (
        derivative(process.schedule.alpha, t) * x_0 + derivative(process.schedule.sigma, t) * z
    ),
}


@pytest.fixture(params=registry.names("precondition"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def precondition(name: str) -> Precondition:
    built: Precondition = registry.build("precondition", name)
    return built


@pytest.fixture(params=registry.names("schedule"))
def process(request: pytest.FixtureRequest) -> Gaussian:
    return Gaussian(registry.build("schedule", request.param), Euclidean(), SCALE)


def test_the_ideal_target_gives_the_data_back(
    name: str, precondition: Precondition, process: Gaussian, rng: torch.Generator
) -> None:
    x_0, z = (torch.randn(len(TIMES), generator=rng, dtype=torch.float64) for _ in range(2))
    x_t = process.schedule.alpha(TIMES) * SCALE * x_0 + process.sigma(TIMES) * z
    c = precondition(process, TIMES)
    target = TARGETS.get(name)
    ideal = target(process, TIMES, x_0, z) if target else (SCALE * x_0 - c.c_skip * x_t) / c.c_out
    torch.testing.assert_close(c.c_skip * x_t + c.c_out * ideal, SCALE * x_0, rtol=1e-6, atol=1e-6)


def test_the_network_sees_and_says_numbers_of_unit_size(process: Gaussian) -> None:
    """c_in x_t has unit variance for every precondition; the target of Karras as well."""
    alpha, sigma = process.schedule.alpha(TIMES) * SCALE, process.sigma(TIMES)
    for name in registry.names("precondition"):
        c = registry.build("precondition", name)(process, TIMES)
        ones = torch.ones_like(TIMES)
        torch.testing.assert_close(c.c_in**2 * (alpha**2 + sigma**2), ones)
        if name == "karras":
            of_data, of_noise = (SCALE - c.c_skip * alpha) / c.c_out, -c.c_skip * sigma / c.c_out
            torch.testing.assert_close(of_data**2 + of_noise**2, ones)


def test_karras_starts_at_the_best_linear_prediction(process: Gaussian) -> None:
    """With F = 0 the prediction is E[x_0 | x_t] of normal data with the process's spread."""
    c = registry.build("precondition", "karras")(process, TIMES)
    alpha, sigma = process.schedule.alpha(TIMES), process.schedule.sigma(TIMES)
    torch.testing.assert_close(c.c_skip, alpha / (alpha**2 + sigma**2))


def test_coefficients_are_finite_where_sampling_and_training_go(
    precondition: Precondition, process: Gaussian
) -> None:
    t = torch.tensor([1e-4, 1e-3, 0.5, 0.999, 1 - 1e-4, 1.0])
    before = t.clone()
    c = precondition(process, t)
    for value in (c.c_skip, c.c_out, c.c_in):
        assert value.shape == t.shape and value.dtype == t.dtype
        assert value.isfinite().all()
    assert (c.c_in > 0).all() and (c.c_out != 0).all()
    assert torch.equal(t, before) and not t.requires_grad


def test_errors_of_the_network_stay_bounded(precondition: Precondition, process: Gaussian) -> None:
    """In units of the noise: noise prediction without a bound ends in no molecule at all."""
    t = torch.linspace(0.5, 1, 1001)
    most = 1 / FAINTEST + 1  # the noise is multiplied by sigma / alpha
    assert (precondition(process, t).c_out.abs() / process.sigma(t)).max() < most


def test_the_table_scales_with_the_unit_of_length(
    precondition: Precondition, process: Gaussian
) -> None:
    one, ten = (
        precondition(Gaussian(process.schedule, Euclidean(), s), TIMES) for s in (1.0, 10.0)
    )
    torch.testing.assert_close(one.c_skip, ten.c_skip)
    torch.testing.assert_close(10 * one.c_out, ten.c_out)
    torch.testing.assert_close(one.c_in, 10 * ten.c_in)


def test_every_target_is_known() -> None:
    known = {*TARGETS, "karras", "consistency"}
    assert set(registry.names("precondition")) <= known, "say in TARGETS what the network predicts"
    assert list(itertools.filterfalse(registry.names("precondition").__contains__, known)) == []
