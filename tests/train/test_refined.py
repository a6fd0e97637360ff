"""Molecules of refined geometry train the low noise levels, the others the high ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moldiff.data.store import Store
from moldiff.diffusion.objective import Between, Kumaraswamy, Times
from moldiff.errors import ConfigError
from moldiff.train import Trainer
from moldiff.train.loader import RefinedBatches, SizeBuckets
from moldiff.train.refined import Refined
from moldiff.train.workloads.check import check
from tests.train.test_trainer import Config


@pytest.fixture
def refined(store: Store) -> RefinedBatches:
    plain = SizeBuckets(store, store.indices("train"), batch=4, seed=3, balance="cost")
    fine = SizeBuckets(store, store.indices("validation"), batch=4, seed=3, balance="cost")
    return RefinedBatches(plain, fine, Refined("fine", share=0.25, until=0.2))


def test_refined_molecules_train_the_low_noise_levels(refined: RefinedBatches) -> None:
    steps = range(400)
    low = [k for k in steps if refined[k].high == 0.2]
    assert 70 < len(low) < 130
    for step in steps:
        batch, *times = refined[step]
        source, expected = (
            (refined.fine, [0.0, 0.2]) if step in low else (refined.plain, [0.2, 1.0])
        )
        assert times == expected
        assert all(torch.equal(batch[k], source[step][k]) for k in batch)


def test_weights_of_both_sets_average_to_one(refined: RefinedBatches) -> None:
    steps = range(4 * 20 * refined.per_epoch)
    weights = [refined.weight(refined[k].batch) for k in steps]
    assert np.mean(weights) == pytest.approx(1, abs=0.05)
    assert refined.weight(refined[0].batch) != 1


def test_times_are_squeezed_in_their_order() -> None:
    u = torch.linspace(0.01, 0.99, 99)
    inner = Kumaraswamy(1.0, 1.5)
    t = Between(inner, 0.2, 0.7).quantile(u)
    assert t.min() > 0.2 and t.max() < 0.7
    assert torch.allclose((t - 0.2) / 0.5, inner.quantile(u), atol=1e-6)
    with pytest.raises(ConfigError, match="none"):
        Between(inner, 0.5, 0.5)


@pytest.mark.parametrize("properties", [[], ["logp", "rings"]])
def test_a_run_trains_both_sets(
    config: Config, store: Store, properties: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"data": str(store.path), "share": 0.5, "until": 0.3}
    conditions = {"properties": properties, "drop": 0.5}
    trainer = Trainer(config(refined=chosen, conditions=conditions, steps=6), store)
    assert trainer.identity()["refined"]["data"] == store.meta["sha256"]
    levels = [trainer.loader[k].high for k in range(6)]
    assert set(levels) == {0.3, 1.0}
    drawn = []

    def sample(times: Between, b: int, *, rng: torch.Generator) -> torch.Tensor:
        drawn.append(t := Times.sample(times, b, rng=rng))
        return t

    monkeypatch.setattr(Between, "sample", sample)
    assert all(np.isfinite(list(p.losses.values())).all() for p in trainer.fit())
    for t, high in zip(drawn, levels, strict=True):
        assert (t < 0.3).all() if high == 0.3 else (t > 0.3).all()


def test_labels_have_the_units_of_the_large_set(config: Config, store: Store) -> None:
    chosen = {"data": str(store.path), "share": 0.5, "until": 0.3}
    settings: dict[str, Any] = {"conditions": {"properties": ["logp"], "drop": 0.5}}
    loader = Trainer(config(refined=chosen, **settings), store).loader
    assert loader.fine.labels.conditions == loader.plain.labels.conditions


def test_only_one_objective_takes_them(config: Config, store: Store) -> None:
    chosen = {"data": str(store.path)}
    with pytest.raises(ConfigError, match="refined"):
        check(config(refined=chosen, objective="consistency"))


def test_both_sets_have_one_vocabulary(config: Config, store: Store, tmp_path: Path) -> None:
    other = shutil.copytree(store.path, tmp_path / "other")
    meta = json.loads((other / "store.json").read_text())
    meta["vocabulary"]["charges"] = [0, 1]
    (other / "store.json").write_text(json.dumps(meta))
    with pytest.raises(ConfigError, match="vocabulary"):
        Trainer(config(refined={"data": str(other)}), store)


@pytest.mark.parametrize("bad", [{"share": 1.0}, {"until": 0.0}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Refined("data", **bad)
