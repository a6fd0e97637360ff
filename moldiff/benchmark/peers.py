"""Published models the package is timed against: their networks, sizes and step counts.

The networks are written from the papers' equations, with random weights and without
training, padding or masks: only time and memory mean anything.  The papers feed the
networks on pairs with the joined features of both atoms.  A *lean* network computes the
same function with less work (see `pairs.PairLinear`): it shows how the peer would run if
it were optimised for a processor, and is the stricter comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from moldiff.benchmark.edm import EDM
from moldiff.benchmark.pairs import PeerNetwork
from moldiff.benchmark.semla import Semla

__all__ = ["PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """A published model.

    Attributes
    ----------
    name, source:
        What to call it, and the paper.
    steps:
        Network evaluations per molecule its published quality was measured with.
    published_parameters:
        Number of weights it is said to have.
    network:
        Makes the network, given ``lean``.
    lean:
        Whether the network is evaluated with less work than the paper writes.
    """

    name: str
    source: str
    steps: int
    published_parameters: float
    network: Callable[..., PeerNetwork]
    lean: bool = False

    def build(self) -> PeerNetwork:
        """Return the network with random weights, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = self.network(lean=self.lean)
        network.eval().requires_grad_(False)
        return network


_EDM = ("Hoogeboom et al. 2022", 1000, 5.3e6, EDM)
_SEMLA = ("Irwin et al. 2025", 100, 23e6, Semla)

PEERS: tuple[Peer, ...] = (
    Peer("EDM", *_EDM),
    Peer("EDM, lean", *_EDM, lean=True),
    Peer("SemlaFlow", *_SEMLA),
    Peer("SemlaFlow, lean", *_SEMLA, lean=True),
)
