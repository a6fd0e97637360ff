"""The peers' networks: their sizes, their symmetries, and that lean means the same function."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from moldiff.benchmark.edm import EDM
from moldiff.benchmark.pairs import PairLinear, PeerNetwork
from moldiff.benchmark.peers import PEERS, Peer

NAMES = [peer.name for peer in PEERS]
COUNTS = {"EDM": 5_339_920, "SemlaFlow": 23_245_585}


@pytest.mark.parametrize("peer", PEERS, ids=NAMES)
def test_published_size(peer: Peer) -> None:
    with torch.device("meta"):
        network = peer.network(lean=peer.lean)
    count = sum(p.numel() for p in network.parameters())
    assert count == COUNTS[peer.name.removesuffix(", lean")]
    assert count == pytest.approx(peer.published_parameters, rel=0.03)


def small(peer: Peer) -> PeerNetwork:
    return peer.build().double()


def doubles(network: PeerNetwork, b: int, n: int, rng: torch.Generator) -> tuple[Tensor, ...]:
    return tuple(x.double() for x in network.example(b, n, rng=rng))


def vectors(network: PeerNetwork) -> int:
    """How many of the first arguments are positions; the first result always is."""
    return 1 if isinstance(network, EDM) else 2


@pytest.mark.parametrize("k", range(len(PEERS)), ids=NAMES)
def test_equivariance(k: int, small_peers: tuple[Peer, ...], rng: torch.Generator) -> None:
    network = small(small_peers[k])
    arguments = doubles(network, 2, 5, rng)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))[0]
    if k % 2:
        turn = -turn  # one of the two is a reflection
    shift = torch.randn(3, generator=rng, dtype=torch.float64)
    moved = [x @ turn + shift if i < vectors(network) else x for i, x in enumerate(arguments)]
    positions, *rest = network(*arguments)
    moved_positions, *moved_rest = network(*moved)
    torch.testing.assert_close(moved_positions, positions @ turn)
    for before, after in zip(rest, moved_rest, strict=True):
        torch.testing.assert_close(after, before)


@pytest.mark.parametrize("k", range(len(PEERS)), ids=NAMES)
def test_permutation(k: int, small_peers: tuple[Peer, ...], rng: torch.Generator) -> None:
    network = small(small_peers[k])
    arguments = doubles(network, 2, 5, rng)
    order = torch.randperm(5, generator=rng)

    def permuted(x: Tensor) -> Tensor:
        return x[:, order][:, :, order] if x.ndim == 4 else x[:, order]

    results = network(*arguments)
    for before, after in zip(results, network(*map(permuted, arguments)), strict=True):
        torch.testing.assert_close(after, permuted(before))


@pytest.mark.parametrize("k", range(0, len(PEERS), 2), ids=NAMES[::2])
def test_lean_is_the_same_function(
    k: int, small_peers: tuple[Peer, ...], rng: torch.Generator
) -> None:
    plain, lean = small(small_peers[k]), small(small_peers[k + 1])
    arguments = doubles(plain, 2, 4, rng)
    for one, other in zip(plain(*arguments), lean(*arguments), strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other)


def test_pair_linear_depends_on_the_order(rng: torch.Generator) -> None:
    layer = PairLinear(3, 2, 4, lean=True)
    atoms, pairs = torch.randn(1, 2, 3, generator=rng), torch.zeros(1, 2, 2, 2)
    result = layer(atoms, pairs)
    expected = layer.linear(torch.cat([atoms[0, 0], atoms[0, 1], torch.zeros(2)]))
    torch.testing.assert_close(result[0, 0, 1], expected)
    assert not torch.allclose(result[0, 0, 1], result[0, 1, 0])


def test_building_leaves_the_global_generator_alone(small_peers: tuple[Peer, ...]) -> None:
    before = torch.random.get_rng_state()
    one, other = small_peers[0].build(), small_peers[0].build()
    assert torch.equal(before, torch.random.get_rng_state())
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
