"""Every coupling rearranges noise without changing what noise is."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.coupling import Coupling


def across(name: str) -> bool:
    exchanges: bool = registry.registered("coupling", name).across  # type: ignore[attr-defined]
    return exchanges


EVERY = registry.names("coupling")


@pytest.fixture(params=EVERY)
def coupling(request: pytest.FixtureRequest) -> Coupling:
    built: Coupling = registry.build("coupling", request.param)
    return built


@pytest.fixture(params=[name for name in EVERY if not across(name)])
def within(request: pytest.FixtureRequest) -> Coupling:
    """A coupling that leaves each graph its noise."""
    built: Coupling = registry.build("coupling", request.param)
    return built


@pytest.fixture(params=[name for name in EVERY if across(name)])
def exchanging(request: pytest.FixtureRequest) -> Coupling:
    built: Coupling = registry.build("coupling", request.param)
    return built


def points(b: int, n: int, rng: torch.Generator) -> Tensor:
    x = torch.randn(b, n, 3, generator=rng)
    return x - x.mean(1, keepdim=True)


def rotation(rng: torch.Generator) -> Tensor:
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng))
    return q * torch.linalg.det(q)


def came_from(noise: Tensor, out: Tensor) -> Tensor:
    """Which noise each graph got, told by the distances from the centre; each exactly once."""
    before, after = (x.norm(dim=2).sort(1).values for x in (noise, out))
    order = torch.cdist(after, before).argmin(1)
    assert order.sort().values.tolist() == list(range(len(noise)))
    return order


@pytest.mark.parametrize("n", [4, 9, 23])
def test_output_is_noise_permuted_and_properly_rotated(
    coupling: Coupling, n: int, rng: torch.Generator
) -> None:
    x_0, noise = points(32, n, rng), points(32, n, rng)
    held = x_0.clone(), noise.clone()
    out = coupling(x_0, noise)
    assert torch.equal(x_0, held[0]) and torch.equal(noise, held[1])
    noise = noise[came_from(noise, out)] if coupling.across else noise
    assert out.shape == noise.shape and out.dtype == noise.dtype
    torch.testing.assert_close(out.mean(1), torch.zeros(32, 3), rtol=0, atol=1e-5)
    for before, after in zip(noise, out, strict=True):
        # The distances from the centre tell which atom went where.
        order = before.norm(dim=1).argsort()[after.norm(dim=1).argsort().argsort()]
        turn = torch.linalg.lstsq(before[order], after).solution
        torch.testing.assert_close(before[order] @ turn, after, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(turn @ turn.T, torch.eye(3), rtol=1e-4, atol=1e-4)
        assert torch.linalg.det(turn) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("n", [2, 3, 9, 23])
def test_transport_never_costs_more(within: Coupling, n: int, rng: torch.Generator) -> None:
    x_0, noise = points(200, n, rng), points(200, n, rng)
    before, after = ((x_0 - z).square().sum((1, 2)) for z in (noise, within(x_0, noise)))
    assert (after <= before * (1 + 1e-5)).all()


def test_graphs_do_not_see_each_other(within: Coupling, rng: torch.Generator) -> None:
    x_0, noise = points(8, 7, rng), points(8, 7, rng)
    whole = within(x_0, noise)
    for k in range(8):
        torch.testing.assert_close(within(x_0[k : k + 1], noise[k : k + 1])[0], whole[k])


@pytest.mark.parametrize("n", [2, 5, 23])
def test_exchanged_noise_is_as_near_as_none_other(
    exchanging: Coupling, n: int, rng: torch.Generator
) -> None:
    """Of all 120 ways to give five graphs five noises, the assignment is the shortest."""
    x_0, noise = points(5, n, rng), points(5, n, rng)
    order = came_from(noise, exchanging(x_0, noise))
    costs = [float((x_0 - noise[list(p)]).square().sum()) for p in itertools.permutations(range(5))]
    assert float((x_0 - noise[order]).square().sum()) == pytest.approx(min(costs), rel=1e-5)
    assert min(costs) < costs[0]  # the first is the identity: there was something to gain


def test_exchanging_then_aligning_is_shorter_than_either(rng: torch.Generator) -> None:
    x_0, noise = points(64, 5, rng), points(64, 5, rng)
    plain = {"name": "minibatch", "coupling": "independent"}
    ways = {"none": "independent", "plain": plain, "aligned": "aligned", "both": "minibatch"}
    cost = {
        name: float((x_0 - registry.build("coupling", way)(x_0, noise)).square().sum())
        for name, way in ways.items()
    }
    assert cost["both"] < min(cost["plain"], cost["aligned"])
    assert max(cost["plain"], cost["aligned"]) < cost["none"]


@pytest.mark.parametrize("case", ["one atom", "two atoms", "in a line", "in a plane", "same place"])
def test_degenerate_data(coupling: Coupling, case: str, rng: torch.Generator) -> None:
    n = {"one atom": 1, "two atoms": 2}.get(case, 6)
    x_0, noise = points(16, n, rng), points(16, n, rng)
    if case == "same place":
        x_0 = x_0 * 0
    elif case.startswith("in a"):
        x_0 = x_0 * torch.tensor([1.0, float(case == "in a plane"), 0.0])
    out = coupling(x_0, noise)
    assert out.isfinite().all()
    before, after = (torch.cdist(x, x).flatten(1).sort(1).values for x in (noise, out))
    if coupling.across:  # whose noise is whose does not matter here
        before, after = (x[x.sum(1).argsort()] for x in (before, after))
    torch.testing.assert_close(
        after,
        before,
        rtol=1e-3,
        atol=2e-3,
    )


def test_rotated_keeps_points_in_their_order(rng: torch.Generator) -> None:
    """And aligned is the same after atoms have changed places."""
    x_0, noise = points(16, 9, rng), points(16, 9, rng)
    rotated, aligned = (registry.build("coupling", name) for name in ("rotated", "aligned"))
    turned, away = rotated(x_0, noise), aligned(x_0, noise)
    torch.testing.assert_close(
        torch.cdist(turned, turned), torch.cdist(noise, noise), atol=1e-4, rtol=1e-3
    )
    cost = [float((x_0 - z).square().sum()) for z in (noise, turned, away)]
    assert cost[0] > cost[1] > cost[2]
    torch.testing.assert_close(rotated(x_0, away), away, atol=1e-4, rtol=1e-3)


def test_aligned_finds_a_rotated_shuffled_copy(rng: torch.Generator) -> None:
    """Noise that is nearly the data, slightly turned and shuffled, is brought back onto it."""
    x_0 = 3 * points(5, 8, rng)
    angle = torch.tensor(0.05)
    turn = torch.tensor([[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0], [0, 0, 1]])
    noise = (x_0 @ turn)[:, torch.randperm(8, generator=rng)]
    out = registry.build("coupling", "aligned")(x_0, noise)
    torch.testing.assert_close(out, x_0, rtol=1e-4, atol=1e-4)
