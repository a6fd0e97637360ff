"""Training of sequences: batches of chains, the loss of what is hidden, where weights come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moldiff.bundled import bundled_configs, bundled_models
from moldiff.data.backbones import BackboneStore
from moldiff.errors import DataError, ModelFileError
from moldiff.model import Model
from moldiff.protein.backbone import UNKNOWN, Backbone
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workload import task
from moldiff.train.workloads.masked import Masked
from moldiff.train.workloads.sequences import ChainBatches
from tests.backbones import backbone, write_backbones
from tests.contracts.conftest import DOMAINS


def test_an_epoch_has_every_chain_once_in_batches_of_one_length(tmp_path: Path) -> None:
    store = write_backbones(tmp_path / "store", 20)
    loader = ChainBatches(store, np.arange(20), batch=3, seed=4)
    first = Counter[bytes]()
    for step in range(loader.per_epoch):
        chains = loader[step]
        (length,) = {len(chain) for chain in chains}
        assert 50 <= length <= 69 and len(chains) <= 4
        first.update(chain.types[5:45].tobytes() for chain in chains)
    assert first.total() == 20
    again = ChainBatches(store, np.arange(20), batch=3, seed=4)[7]
    assert all(np.array_equal(a.types, b.types) for a, b in zip(again, loader[7], strict=True))
    epochs = [[loader[k * loader.per_epoch][0].types.tobytes()] for k in range(6)]
    assert len({one[0] for one in epochs}) > 1
    with pytest.raises(DataError, match="no chain to train on"):
        ChainBatches(store, np.array([], np.int64), batch=2, seed=0)


def test_batches_cost_alike(tmp_path: Path) -> None:
    """About as many residues in each, be chains short or long."""
    store = write_backbones(tmp_path / "store", 60)
    loader = ChainBatches(store, np.arange(60), batch=6, seed=0)
    residues = [sum(map(len, loader[step])) for step in range(loader.per_epoch)]
    assert np.quantile(residues, 0.9) < 1.4 * np.quantile(residues, 0.2)


def model() -> Model:
    settings = {**DOMAINS["sequences"], "domain": "sequences", "precondition": "clean"}
    return Model.from_config(settings | {"sampling": {"steps": 2}}, seed=1)


def test_only_hidden_residues_that_are_known_count() -> None:
    """A model that knows nothing loses log 20 for each; where all natives are unknown, nothing."""
    rng, denoiser = torch.Generator().manual_seed(0), model().denoiser
    chain = backbone(30)
    loss, parts = Masked()(denoiser, Masked().batch([chain] * 3, rng=rng), rng=rng)
    assert float(loss.detach()) == pytest.approx(np.log(20), abs=1e-3)
    assert parts.keys() == {"nats", "recovered"}
    nothing = Backbone(chain.atoms, np.full(30, UNKNOWN, np.int8), chain.regular)
    loss, _ = Masked()(denoiser, Masked().batch([nothing], rng=rng), rng=rng)
    assert float(loss.detach()) == 0


def test_atoms_are_shaken_and_types_are_not() -> None:
    chain, rng = backbone(30), torch.Generator().manual_seed(0)
    still, shaken = (
        Masked(jitter=j, levels=2).batch([chain] * 8, rng=rng).context["backbone"].positions
        for j in (0.0, 0.2)
    )
    off = (still - shaken).norm(dim=-1).mean(1) / np.sqrt(8 / np.pi)  # deviation along an axis
    assert still.shape == (8, 30, 3) and float(off.min()) > 0 and float(off.max()) < 0.25
    assert float(off.std()) > 0.02  # each has its own
    batch = Masked(levels=2).batch([chain] * 8, rng=rng)
    assert (batch["types"].numpy() == chain.types).all() and batch.graphs == 16


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig.from_dict(
        {
            "task": "sequence",
            "data": str(write_backbones(tmp_path / "data").path),
            "output": str(tmp_path / "run"),
            "steps": 60,
            "batch": 4,
            "precision": "float32",
            "network": DOMAINS["sequences"]["network"],
            "process": DOMAINS["sequences"]["process"],
            "objective": {"name": "masked", "jitter": 0.0},
            "optimizer": {"lr": 1e-2, "warmup": 3},
            "evaluation": {"every": 0},
        }
    )


def opened(config: TrainConfig) -> Trainer:
    return Trainer(config, task(config).open(config, lambda text: None))


def test_a_model_learns_the_sequences_it_is_shown(config: TrainConfig) -> None:
    losses = [step.losses["nats"] for step in opened(config).fit()]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.1


def test_it_begins_with_the_bundled_backbones(config: TrainConfig, tmp_path: Path) -> None:
    """With the bundled network, so that its layers are those of the model of gaps."""
    whole = TrainConfig.from_yaml(bundled_configs()["sequence"], data=config.data)
    trainer = opened(replace(whole, output=str(tmp_path / "begun"), precision="float32"))
    first = Model.load(bundled_models()["backbones"]).network.state_dict()
    own = trainer.network.state_dict()
    shared = first.keys() & own.keys()
    assert len(shared) > 50 and all(torch.equal(first[k], own[k]) for k in shared)
    assert own.keys() - first.keys() == {"between.weight", "letters.weight", "letters.bias"}
    assert sum(v.numel() for v in own.values()) * 2 < 4e6  # bytes of float16
    other = {**DOMAINS["poses"], "domain": "poses", "sampling": {}, "precondition": "clean"}
    Model.from_config(other).save(tmp_path / "poses.safetensors")
    with pytest.raises(ModelFileError, match="not a model of sequences"):
        opened(
            replace(whole, output=str(tmp_path / "no"), init=str(tmp_path / "poses.safetensors"))
        )


def test_the_store_is_that_of_backbones(config: TrainConfig) -> None:
    assert isinstance(task(config).open(config, lambda text: None), BackboneStore)
