"""A set of made-up complexes, and a run that trains on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moldiff.data.complexes import ComplexStore
from moldiff.data.prepare_complexes import prepare_complexes
from moldiff.train import TrainConfig
from tests.complexes import write_set


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of eight complexes."""
    return write_set(tmp_path_factory.mktemp("complexes") / "small", 8)


@pytest.fixture(scope="session")
def complexes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ComplexStore:
    """The set, prepared; two complexes are for validation."""
    return prepare_complexes([folder], tmp_path_factory.mktemp("store") / "store", share=0.25)


NETWORK = {
    "name": "contacts",
    "width": 32,
    "channels": 8,
    "layers": 2,
    "heads": 2,
    "pair_width": 16,
    "neighbours": 8,
    "pocket_channels": 4,
    "pocket_layers": 1,
    "pocket_neighbours": 8,
}


@pytest.fixture
def config(complexes: ComplexStore, tmp_path: Path) -> Callable[..., TrainConfig]:
    """``config(key=value, ...)``: a run of four steps, with some settings changed."""

    def made(**changes: Any) -> TrainConfig:
        flow = {"name": "geodesic", "schedule": "rectified"}
        settings: dict[str, Any] = {
            "task": "poses",
            "data": str(complexes.path),
            "output": str(tmp_path / "run"),
            "steps": 4,
            "batch": 2,
            "seed": 3,
            "network": NETWORK,
            "process": {
                "translation": {
                    "name": "gaussian",
                    "schedule": "rectified",
                    "space": "euclidean",
                    "scale": 3.0,
                },
                "rotation": flow | {"space": "so3"},
                "torsions": flow | {"space": "torus"},
            },
            "objective": {"name": "displacement", "poses": 4},
            "sampling": {"steps": 3},
            "evaluation": {"every": 0},
            "optimizer": {"name": "muon", "warmup": 2, "decay": 1, "ema": 0.9},
        }
        return TrainConfig.from_dict(settings | changes)

    return made
