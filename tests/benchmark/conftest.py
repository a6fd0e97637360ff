"""A tiny model with its file and a training configuration; small versions of the peers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.benchmark.bench import QUICK, Bench
from moldiff.benchmark.edm import EDM
from moldiff.benchmark.peers import PEERS, Peer
from moldiff.benchmark.semla import Semla
from moldiff.chem import QM9
from moldiff.model import Model

SMALL = {
    EDM: partial(EDM, width=8, blocks=2),
    Semla: partial(Semla, width=16, layers=3, sets=4, message=8, edge=8, heads=4),
}


def _classes(*probabilities: float) -> dict[str, Any]:
    space = {"name": "categorical", "probabilities": list(probabilities)}
    return {"name": "jump", "schedule": "rectified", "space": space}


CONFIG = {
    "process": {
        "positions": {"name": "gaussian", "schedule": "cosine", "scale": 1.4},
        "types": _classes(0.5, 0.3, 0.1, 0.05, 0.05),
        "charges": _classes(0.01, 0.98, 0.01),
        "bonds": _classes(0.8, 0.15, 0.04, 0.01),
    },
    "precondition": "karras",
    "network": {
        "name": "transformer",
        "width": 16,
        "pair_width": 8,
        "message_width": 8,
        "layers": 1,
        "heads": 2,
        "channels": 2,
        "context_width": 8,
    },
    "domain": {
        "name": "molecules",
        "vocabulary": QM9.to_dict(),
        "sizes": {"4": 1.0, "6": 1.0},
    },
    "sampling": {"steps": 3, "temperature": 0.7},
}


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model."""
    path = tmp_path_factory.mktemp("benchmark") / "tiny.safetensors"
    Model.from_config(CONFIG).save(path)
    return path


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training configuration."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text("data: none\noutput: none\nbatch: 2\noptimizer: {name: adamw}\n")
    return path


@pytest.fixture(scope="session")
def small_peers() -> tuple[Peer, ...]:
    """The peers with small networks."""
    return tuple(replace(peer, network=SMALL[peer.network]) for peer in PEERS)  # type: ignore[index]


@pytest.fixture(scope="session")
def bench(model_file: Path, recipe: Path, small_peers: tuple[Peer, ...]) -> Bench:
    """A run on the tiny model and small peers."""
    return Bench(Model.load(model_file), model_file, recipe, QUICK, peers=small_peers)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)
