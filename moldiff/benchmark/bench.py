"""What a benchmark runs on: how much is measured, the networks compared, and what is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from moldiff.benchmark import workloads
from moldiff.benchmark.pairs import PeerNetwork
from moldiff.benchmark.peers import PEERS, Peer
from moldiff.benchmark.timing import Work
from moldiff.model import Model

__all__ = ["OWN", "PLAN", "QUICK", "Bench", "Network", "Plan"]

OWN = "moldiff"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    turns, long_turns:
        Measurements of each case, of short and of long ones.
    at_least:
        Seconds one measurement of a short case lasts.
    matrices:
        Sizes of the matrix products whose best rate is the machine's peak.
    batches, atoms, steps:
        The cases of the sweeps; ``atoms_batch`` graphs in the sweep over atoms.
    loop_batch, peer_steps:
        Graphs in the real loops; steps of the peer's.
    allocator_batch, allocator_turns:
        Molecules, and processes of each kind, for the effect of the allocator.
    """

    turns: int = 5
    long_turns: int = 3
    at_least: float = 0.2
    matrices: tuple[int, ...] = (256, 512, 1024, 2048)
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    atoms: tuple[int, ...] = (9, 18, 29, 50, 75, 100)
    atoms_batch: int = 2
    steps: tuple[int, ...] = (5, 10, 20)
    loop_batch: int = 8
    peer_steps: int = 10
    allocator_batch: int = 96
    allocator_turns: int = 2


PLAN = Plan()
QUICK = Plan(
    turns=2,
    long_turns=1,
    at_least=0.0,
    matrices=(64, 128),
    batches=(1, 2),
    atoms=(3, 5),
    atoms_batch=1,
    steps=(1, 2),
    loop_batch=1,
    peer_steps=2,
    allocator_batch=2,
    allocator_turns=1,
)
"""Enough to see that everything works; the figures mean nothing."""


@dataclass(frozen=True, eq=False)
class Network:
    """Something that is compared: what one evaluation costs, and how many it takes."""

    name: str
    parameters: int
    published_parameters: float | None
    source: str
    steps: int
    evaluation: Callable[[int, int], Work]
    module: PeerNetwork | None = None


@dataclass(eq=False)
class Bench:
    """One run: what is measured, and what is known so far.

    Attributes
    ----------
    model, path:
        The model, and its file (other processes load it again).
    recipe:
        Training configuration, for the effect of the allocator.
    peers:
        What the model is compared with; EDM comes first.
    best:
        Batch at which each network is fastest per molecule.
    peaks:
        FLOP per CPU second of matrix products, by precision.
    """

    model: Model
    path: Path
    recipe: Path
    plan: Plan = PLAN
    threads: int = 1
    peers: tuple[Peer, ...] = PEERS
    best: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.atoms = workloads.typical_size(self.model)
        self.networks = (_own(self.model), *map(_other, self.peers))


def _own(model: Model) -> Network:
    parameters = sum(p.numel() for p in model.network.parameters())
    return Network(
        OWN,
        parameters,
        None,
        "this package",
        workloads.as_generated(model)[1].steps,
        partial(workloads.sampling_step, model),
    )


def _other(peer: Peer) -> Network:
    module = peer.build()
    return Network(
        peer.name,
        sum(p.numel() for p in module.parameters()),
        peer.published_parameters,
        peer.source,
        peer.steps,
        partial(workloads.peer_evaluation, module),
        module,
    )
