"""A small data set and a small network, so that a training step takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

from moldiff.chem import QM9, Encoded, canonical_smiles, encode
from moldiff.data.store import Entry, Store
from moldiff.train import TrainConfig

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
NETWORK = {
    "name": "transformer",
    "width": 32,
    "pair_width": 8,
    "message_width": 32,
    "layers": 1,
    "heads": 2,
    "channels": 2,
    "context_width": 32,
    "expansion": 2,
}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The sample of QM9: most of it for training, the rest for validation and test."""
    entries = []
    for k, mol in enumerate(Chem.SDMolSupplier(str(SAMPLE), sanitize=False, removeHs=False)):
        encoded = encode(mol, QM9)
        assert isinstance(encoded, Encoded)
        split = (0, 0, 0, 0, 1, 0, 0, 0, 0, 2)[k % 10]
        entries.append(Entry(encoded, canonical_smiles(mol) or "", split, k))
    path = tmp_path_factory.mktemp("data") / "store"
    return Store.write(path, entries, vocabulary=QM9, source="datasets/qm9/sample.sdf")


@pytest.fixture
def config(store: Store, tmp_path: Path) -> Callable[..., TrainConfig]:
    """``config(key=value, ...)``: a run of eight steps, with some settings changed."""

    def made(**changes: Any) -> TrainConfig:
        settings: dict[str, Any] = {
            "data": str(store.path),
            "output": str(tmp_path / "run"),
            "steps": 8,
            "batch": 4,
            "network": NETWORK,
            "seed": 5,
            "precision": "float32",
            "evaluation": {"every": 0},
            "optimizer": {"warmup": 3, "decay": 3, "ema": 0.9},
        }
        return TrainConfig.from_dict(settings | changes)

    return made
