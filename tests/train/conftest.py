"""A small data set and a small network, so that a training step takes milliseconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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


#: Number of molecules by number of atoms: 10 to 40, most of about 22, and a few of 41.
BROAD = {n: 30 + round(160 * math.exp(-(((n - 22) / 9) ** 2))) for n in range(10, 41)} | {41: 3}


@pytest.fixture(scope="session")
def broad(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Clouds of atoms, 1.8 Å (n / 20)^0.4 wide per axis, in the sizes of drug-like molecules."""
    random = np.random.default_rng(0)
    entries = []
    for n, count in BROAD.items():
        for _ in range(count):
            x = 1.8 * (n / 20) ** 0.4 * random.standard_normal((n, 3))
            encoded = Encoded(
                x.astype(np.float32),
                random.integers(5, size=n).astype(np.int8),
                np.ones(n, np.int8),
                random.integers(4, size=n * (n - 1) // 2).astype(np.int8),
            )
            entries.append(Entry(encoded, "", 0, len(entries)))
    path = tmp_path_factory.mktemp("data") / "broad"
    return Store.write(path, entries, vocabulary=QM9, source="random numbers")


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
