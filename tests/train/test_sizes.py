"""Runs on data of many sizes: batches by cost, and a scale by size."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.data.store import Store
from moldiff.diffusion.process import PowerLaw
from moldiff.errors import ConfigError, ModelFileError
from moldiff.generation.request import Request
from moldiff.generation.run import generate
from moldiff.model import Model
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workload import task as workload
from tests.train.conftest import NETWORK

CODEC = {"name": "autoencoder", "width": 4, "encoder": NETWORK, "decoder": NETWORK}


def run(config: TrainConfig, store: Store) -> Trainer:
    trainer = Trainer(config, store)
    for _ in trainer.fit():
        pass
    return trainer


@pytest.mark.parametrize("task", ["molecules", "codec"])
def test_a_run_in_batches_by_cost_resumes(
    task: str, config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"task": task, "balance": "cost", "steps": 6}
    if task == "codec":
        settings |= {"network": CODEC, "objective": "reconstruction"}
    whole = run(config(**settings, output=str(tmp_path / "whole")), store)
    parts = config(**settings, output=str(tmp_path / "parts"))
    steps = Trainer(parts, store).fit()
    assert [next(steps).step for _ in range(3)] == [1, 2, 3]
    steps.close()
    resumed = run(parts, store)
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ModelFileError, match="batch"):  # in either direction
        Trainer(dataclasses.replace(parts, balance="molecules"), store)


def test_the_loss_of_a_batch_by_cost_has_its_weight(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    """Its gradient is that of the plain loss, times the weight."""
    trainers = [Trainer(config(balance=b), store) for b in ("molecules", "cost")]
    batch = trainers[1].loader[0]
    weight = trainers[1].loader.weight(batch)
    assert weight != 1
    losses = []
    for trainer in trainers:
        ((loss, _, count),) = trainer.work.losses(batch, rng=torch.Generator().manual_seed(0))
        losses.append(loss.detach())
        assert count == batch.graphs
    assert torch.equal(losses[1], weight * losses[0])


def test_reflow_and_batches_by_cost_are_refused(config: Callable[..., TrainConfig]) -> None:
    wrong = config(objective={"name": "reflow", "teacher": "qm9"}, balance="cost")
    with pytest.raises(ConfigError, match="reflow"):
        workload(wrong).check(wrong)


def test_a_scale_by_size_trains_is_saved_and_generates(
    config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    process = {f: dict(part) for f, part in config().process.items()}
    process["positions"]["scale"] = "size"
    run(config(steps=2, process=process), store)
    model = Model.load(tmp_path / "run" / "model.safetensors")
    scale = model.denoiser.process.gaussian()["positions"].scale
    assert isinstance(scale, PowerLaw) and scale.exponent > 0.1
    assert len(list(generate(model, Request(2, size=5), sampling={"steps": 2}))) == 2
