"""Every space: what its noise is, and what mix, project and distance promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.space import Categorical, Space

SHAPE = (6, 5, 3)


@pytest.fixture(params=registry.names("space"))
def space(request: pytest.FixtureRequest, make: Callable[..., Any]) -> Space:
    built: Space = make("space", request.param)
    return built


def values(space: Space, rng: torch.Generator) -> Tensor:
    """What `mix`, `project` and `distance` take: logits for classes, points elsewhere."""
    if isinstance(space, Categorical):
        return torch.randn(*SHAPE[:2], space.classes, generator=rng)
    return space.prior(SHAPE, rng=rng)


def test_prior_is_a_function_of_its_generator(space: Space) -> None:
    draws = [space.prior(SHAPE, rng=torch.Generator().manual_seed(k)) for k in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert draws[0].shape == SHAPE


@pytest.mark.parametrize("name", ["euclidean", "zero_com"])
def test_prior_is_standard_normal(
    name: str, make: Callable[..., Any], rng: torch.Generator
) -> None:
    b, n = 8000, 5
    x = make("space", name).prior((b, n, 3), rng=rng)
    # Removing the centre takes 1/n of the variance and correlates atoms by -1/n.
    kept = 1.0 if name == "euclidean" else 1 - 1 / n
    error = 5 / (3 * b) ** 0.5
    covariance = torch.einsum("bnx,bmx->nm", x, x) / (3 * b)
    expected = torch.eye(n) - (1 - kept)
    assert (covariance - expected).abs().max() < error * 2**0.5
    assert x.mean((0, 2)).abs().max() < error
    if name == "zero_com":
        assert x.mean(1).abs().max() < 1e-6


def test_prior_is_a_point_of_the_space(space: Space, rng: torch.Generator) -> None:
    x = space.prior(SHAPE, rng=rng)
    if isinstance(space, Categorical):
        assert not x.is_floating_point() and x.min() >= 0 and x.max() < space.classes
    else:
        torch.testing.assert_close(space.project(x), x, rtol=0, atol=1e-6)


def test_projection_is_idempotent(space: Space, rng: torch.Generator) -> None:
    once = space.project(values(space, rng) + 0.7)
    torch.testing.assert_close(space.project(once), once, rtol=1e-6, atol=1e-6)


def test_mix_goes_from_a_to_b_and_beyond(space: Space, rng: torch.Generator) -> None:
    a, b = values(space, rng), values(space, rng)
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(space.mix(a, b, 0.0), a, **close)
    torch.testing.assert_close(space.mix(a, b, 1.0), b, **close)
    torch.testing.assert_close(space.mix(a, space.mix(a, b, 1.5), 1 / 1.5), b, **close)
    w = torch.rand(SHAPE[0], 1, 1, generator=rng)
    mixed = space.mix(a, b, w)
    for k in range(SHAPE[0]):
        torch.testing.assert_close(mixed[k], space.mix(a[k : k + 1], b[k : k + 1], w[k])[0])


def test_distance_is_a_metric(space: Space, rng: torch.Generator) -> None:
    a, b, c = (values(space, rng) for _ in range(3))
    assert space.distance(a, b).shape == SHAPE[:1]
    assert (space.distance(a, a) == 0).all()
    assert (space.distance(a, b) > 0).all()
    assert torch.equal(space.distance(a, b), space.distance(b, a))
    assert (space.distance(a, c) <= space.distance(a, b) + space.distance(b, c) + 1e-5).all()


def test_inputs_are_kept(space: Space, rng: torch.Generator) -> None:
    a, b = values(space, rng), values(space, rng)
    before = a.clone(), b.clone()
    for result in (space.mix(a, b, 0.3), space.project(a), space.distance(a, b)):
        assert result.isfinite().all()
    assert torch.equal(a, before[0]) and torch.equal(b, before[1])


@pytest.mark.parametrize(
    "pi", [(0.25,) * 4, (0.7, 0.2, 0.0999, 0.0001), (0.0, 1.0, 0.0, 0.0)], ids=str
)
def test_classes_are_drawn_as_often_as_they_should(
    pi: tuple[float, ...], rng: torch.Generator
) -> None:
    b = 100_000
    found = Categorical(pi).prior((b,), rng=rng).bincount(minlength=4) / b
    for k, p in enumerate(pi):
        assert abs(found[k].item() - p) <= 5 * (p * (1 - p) / b) ** 0.5


def test_draw_takes_unnormalised_probabilities(rng: torch.Generator) -> None:
    space, b = Categorical((0.25,) * 4), 100_000
    weights = torch.tensor([[0.0, 3e-20, 1e-20, 0.0], [7e20, 0.0, 0.0, 1e20]])
    found = space.draw(weights.expand(b, 2, 4), rng=rng)
    for site, row in enumerate(weights / weights.sum(1, keepdim=True)):
        often = found[:, site].bincount(minlength=4) / b
        error = 5 * (row * (1 - row) / b).sqrt()
        assert ((often - row).abs() <= error).all()  # what is impossible is never drawn


@pytest.mark.parametrize("pi", [(), (0.5, 0.6), (1.2, -0.2), (float("nan"), 1.0)], ids=str)
def test_what_is_no_distribution_is_refused(pi: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        Categorical(pi)
