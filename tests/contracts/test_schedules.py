"""Every schedule: signal falls, noise rises, and both are usable numbers everywhere."""

from __future__ import annotations

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.schedule import Schedule, derivative, inverse

TIMES = torch.linspace(0, 1, 2001, dtype=torch.float64)
EXTREME = torch.tensor([1e-6, 1e-5, 1e-4, 1e-3, 0.5, 0.999, 0.9999, 1 - 1e-5])


@pytest.fixture(params=registry.names("schedule"))
def schedule(request: pytest.FixtureRequest) -> Schedule:
    built: Schedule = registry.build("schedule", request.param)
    return built


def test_it_begins_at_data_and_ends_in_noise(schedule: Schedule) -> None:
    alpha, sigma = schedule.alpha(TIMES), schedule.sigma(TIMES)
    assert alpha[0].item() == pytest.approx(1, abs=1e-4)
    assert 0 <= sigma[0] < 0.01
    assert -1e-6 < alpha[-1] < 0.1 * sigma[-1]


def test_alpha_falls_and_sigma_rises(schedule: Schedule) -> None:
    alpha, sigma = schedule.alpha(TIMES), schedule.sigma(TIMES)
    assert (alpha.diff() <= 0).all()
    assert (sigma.diff() >= 0).all()
    # The ratio decides how much is known of the data: it may never stand still.
    assert ((alpha / sigma)[1:-1].diff() < 0).all()


def test_single_precision_is_enough(schedule: Schedule) -> None:
    """Finite, positive and right to a per cent at all times training and sampling visit."""
    for function in (schedule.alpha, schedule.sigma):
        single, exact = function(EXTREME), function(EXTREME.double())
        assert single.dtype == torch.float32
        assert (single > 0).all() and single.isfinite().all()
        torch.testing.assert_close(single.double(), exact, rtol=1e-2, atol=1e-6)


def test_derivatives(schedule: Schedule) -> None:
    t, h = TIMES[40:-40:20], 1e-5
    for function in (schedule.alpha, schedule.sigma):
        numeric = (function(t + h) - function(t - h)) / (2 * h)
        torch.testing.assert_close(derivative(function, t), numeric, rtol=1e-6, atol=1e-7)


def test_derivatives_are_finite(schedule: Schedule) -> None:
    for function in (schedule.alpha, schedule.sigma):
        assert derivative(function, EXTREME).isfinite().all()


def test_derivatives_leave_no_graph(schedule: Schedule) -> None:
    t = torch.tensor([0.3, 0.6])
    with torch.no_grad():
        slope = derivative(schedule.sigma, t)
    assert not slope.requires_grad and not t.requires_grad and t.grad is None


def test_shape_and_input_are_kept(schedule: Schedule) -> None:
    t = torch.rand(3, 2, generator=torch.Generator().manual_seed(0))
    before = t.clone()
    for function in (schedule.alpha, schedule.sigma):
        value = function(t)
        assert value.shape == t.shape
        value += 1  # must not be a view of t
    assert torch.equal(t, before)


def test_inverse(schedule: Schedule) -> None:
    t = TIMES[20:-20:40].reshape(10, 5)

    def ratio(t: torch.Tensor) -> torch.Tensor:
        return schedule.alpha(t) / schedule.sigma(t)

    torch.testing.assert_close(inverse(ratio, ratio(t)), t, rtol=0, atol=1e-9)
    ends = inverse(ratio, torch.tensor([1e30, -1.0], dtype=torch.float64))
    torch.testing.assert_close(ends, torch.tensor([0.0, 1.0], dtype=torch.float64))
