"""Every space: what its noise is, and what mix, project and distance promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.space import SO3, Categorical, Manifold, Space, Torus

POINTS = {"so3": (3, 3), "categorical": ()}  # the shape of one point, where it is not (3,)
MANIFOLDS = [name for name in registry.names("space") if POINTS.get(name) == (3, 3)] + ["torus"]


@pytest.fixture(params=registry.names("space"))
def space(request: pytest.FixtureRequest, make: Callable[..., Any]) -> Space:
    built: Space = make("space", request.param)
    return built


def shape(space: Space, b: int = 6) -> tuple[int, ...]:
    """b graphs of five points."""
    return (b, 5, *POINTS.get(registry.describe(space)["name"], (3,)))


def values(space: Space, rng: torch.Generator, b: int = 6) -> Tensor:
    """What `mix`, `project` and `distance` take: logits for classes, points elsewhere."""
    if isinstance(space, Categorical):
        return torch.randn(b, 5, space.classes, generator=rng)
    return space.prior(shape(space, b), rng=rng)


def test_prior_is_a_function_of_its_generator(space: Space) -> None:
    draws = [space.prior(shape(space), rng=torch.Generator().manual_seed(k)) for k in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert draws[0].shape == shape(space)


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
    x = space.prior(shape(space), rng=rng)
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
    near = space.mix(a, b, 0.5)  # beyond, a compact space ends half a turn away
    torch.testing.assert_close(space.mix(a, space.mix(a, near, 1.5), 1 / 1.5), near, **close)
    w = torch.rand(6, *[1] * (a.ndim - 1), generator=rng)
    mixed = space.mix(a, b, w)
    for k in range(6):
        torch.testing.assert_close(mixed[k], space.mix(a[k : k + 1], b[k : k + 1], w[k])[0])
    torch.testing.assert_close(space.mix(a, b, torch.tensor(0.3)), space.mix(a, b, 0.3))


def test_mix_is_a_geodesic(space: Space, rng: torch.Generator) -> None:
    """d(a, mix(a, b, w)) = w d(a, b), mixes stay in the space, and the way back is the same."""
    if isinstance(space, Categorical):
        return  # its distance counts sites
    a, b = values(space, rng), values(space, rng)
    for w in (0.1, 0.5, 0.9, 1.0):
        mixed = space.mix(a, b, w)
        torch.testing.assert_close(space.project(mixed), mixed, rtol=1e-5, atol=2e-6)
        distance = w * space.distance(a, b)
        torch.testing.assert_close(space.distance(a, mixed), distance, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(space.mix(b, a, 1 - w), mixed, rtol=1e-4, atol=1e-4)
        again = space.mix(a, mixed, 0.5)
        torch.testing.assert_close(again, space.mix(a, b, 0.5 * w), rtol=1e-5, atol=1e-5)


def test_distance_is_a_metric(space: Space, rng: torch.Generator) -> None:
    a, b, c = (values(space, rng) for _ in range(3))
    assert space.distance(a, b).shape == (6,)
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


def rotations(axis: Tensor, angle: float | Tensor) -> Tensor:
    """Rodrigues' formula in double precision, (b, 3, 3)."""
    x, y, z = axis.double().unbind(-1)
    o = torch.zeros_like(x)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).view(-1, 3, 3)
    angle = torch.as_tensor(angle, dtype=torch.float64).reshape(-1, 1, 1)
    return torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * cross @ cross


def test_every_manifold_is_tested() -> None:
    found = [
        n for n in registry.names("space") if issubclass(registry.registered("space", n), Manifold)
    ]
    assert sorted(MANIFOLDS) == found


@pytest.mark.parametrize(
    "angle", [0, 1e-7, 1e-5, 1e-3, 1.0, 3.1, math.pi - 1e-3, math.pi - 1e-5, math.pi]
)
def test_rotations_are_exact_at_all_angles(angle: float, rng: torch.Generator) -> None:
    space, b = SO3(), 500
    axis = torch.nn.functional.normalize(torch.randn(b, 3, generator=rng), dim=-1)
    a = space.prior((b, 3, 3), rng=rng)
    turned = (a.double() @ rotations(axis, angle)).float()
    tolerance = {"rtol": 0, "atol": 3e-6}
    torch.testing.assert_close(
        space.distance(a, turned), torch.full((b,), float(angle)), **tolerance
    )
    torch.testing.assert_close(space.mix(a, turned, 1.0), turned, **tolerance)
    if angle < math.pi - 1e-4:  # at pi itself both ways round are the shorter one
        third = (a.double() @ rotations(axis, angle / 3)).float()
        torch.testing.assert_close(space.mix(a, turned, 1 / 3), third, **tolerance)


def test_rotations_are_proper_and_uniform(rng: torch.Generator) -> None:
    b = 40_000
    x = SO3().prior((b, 3, 3), rng=rng)
    assert (torch.linalg.det(x) - 1).abs().max() < 1e-5
    # The angle of a uniform rotation has the density (1 - cos) / pi: moments of sin and cos.
    angle = SO3().angle(x, torch.eye(3).expand(b, 3, 3))
    for found, expected in (
        (angle.cos(), -0.5),
        (angle.sin(), 2 / math.pi),
        (angle.cos() ** 2, 0.5),
    ):
        assert abs(found.mean() - expected) < 5 * found.std() / b**0.5
    assert x.mean(0).abs().max() < 5 * (1 / 3 / b) ** 0.5


def test_projection_finds_the_nearest_rotation(rng: torch.Generator) -> None:
    x = 2 * torch.randn(300, 3, 3, generator=rng)
    nearest = (SO3().project(x) - x).square().sum((1, 2))
    assert (torch.linalg.det(SO3().project(x)) - 1).abs().max() < 1e-5
    for _ in range(200):
        other = SO3().prior((300, 3, 3), rng=rng)
        assert (nearest <= (other - x).square().sum((1, 2)) + 1e-4).all()


def test_angles_are_uniform_and_wrapped(rng: torch.Generator) -> None:
    b, space = 40_000, Torus()
    x = space.prior((b, 1), rng=rng)
    assert (x.abs() <= math.pi).all()
    for k in (1, 2, 3):  # Fourier coefficients
        assert (k * x).cos().mean().abs() < 5 * (0.5 / b) ** 0.5
        assert (k * x).sin().mean().abs() < 5 * (0.5 / b) ** 0.5
    turns = torch.tensor([[math.pi, -math.pi, 3 * math.pi + 0.1, -7.0, 0.0]])
    wrapped = torch.tensor([[math.pi, math.pi, -math.pi + 0.1, 2 * math.pi - 7.0, 0.0]])
    torch.testing.assert_close(space.project(turns), wrapped, rtol=0, atol=1e-6)


def test_angles_take_the_shorter_arc() -> None:
    space = Torus()
    a, b = torch.tensor([[3.0, -3.0, 0.5]]), torch.tensor([[-3.0, 3.0, -0.5]])
    gap = 2 * math.pi - 6
    expected = torch.tensor([[3 + gap / 4, -3 - gap / 4, 0.25]])
    torch.testing.assert_close(space.mix(a, b, 0.25), space.project(expected))
    expected_distance = torch.tensor([(2 * gap**2 + 1) ** 0.5])
    torch.testing.assert_close(space.distance(a, b), expected_distance)


@pytest.mark.parametrize("name", MANIFOLDS)
def test_extrapolation_stops_before_the_cut_locus(
    name: str, make: Callable[..., Any], rng: torch.Generator
) -> None:
    """However far one goes on, the geodesic back is the one that was followed."""
    space: Manifold = make("space", name)
    a, b = values(space, rng, 200), values(space, rng, 200)
    end = space.mix(a, b, 50.0)
    assert (space.angle(a, end) > 0.99 * math.pi).float().mean() > 0.9
    back = space.angle(a, b) / space.angle(a, end)
    w = back.reshape(*back.shape, *[1] * (a.ndim - back.ndim))
    torch.testing.assert_close(space.mix(a, end, w), b, rtol=0, atol=5e-3)


@pytest.mark.parametrize("name", MANIFOLDS)
def test_squared_distances_can_be_learned_from(
    name: str, make: Callable[..., Any], rng: torch.Generator
) -> None:
    """The gradient of half the squared distance is as long as the distance; at 0 it is 0."""
    space: Manifold = make("space", name)
    a, b = values(space, rng), values(space, rng)
    for target in (b, a.clone()):
        x = a.clone().requires_grad_()
        (0.5 * space.distance(x, target).square().sum()).backward()
        assert x.grad is not None and x.grad.isfinite().all()
        moved = space.project(a - 1e-3 * x.grad)
        assert (space.distance(moved, target) <= space.distance(a, target) + 1e-6).all()


def test_no_rotors_is_no_problem() -> None:
    empty = Torus().prior((4, 0), rng=torch.Generator())
    assert Torus().mix(empty, empty, 0.3).shape == (4, 0)
    assert torch.equal(Torus().distance(empty, empty), torch.zeros(4))


def test_rotations_are_three_by_three() -> None:
    with pytest.raises(ValueError, match="3 x 3"):
        SO3().prior((4, 3), rng=torch.Generator())
