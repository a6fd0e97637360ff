"""Statistics of the data, and the placeholders of a configuration they fill."""

from __future__ import annotations

import numpy as np
import pytest

from moldiff.data.store import Store
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError
from moldiff.train.config import TrainConfig
from moldiff.train.statistics import Statistics


@pytest.fixture(scope="module")
def statistics(store: Store) -> Statistics:
    return Statistics.of(store, store.indices("train"))


def test_they_are_those_of_the_training_split(statistics: Statistics, store: Store) -> None:
    molecules = [store[int(k)] for k in store.indices("train")]
    for name, k in store.vocabulary.classes.items():
        counts = np.bincount(np.concatenate([getattr(m, name) for m in molecules]), minlength=k)
        np.testing.assert_allclose(statistics.marginals[name], counts / counts.sum(), atol=1e-3)
        assert min(statistics.marginals[name]) > 0
        assert sum(statistics.marginals[name]) == pytest.approx(1, abs=1e-4)
    centred = np.concatenate([m.positions - m.positions.mean(0) for m in molecules])
    assert statistics.spread == pytest.approx(centred.std(), rel=1e-3)
    sizes = [len(m.types) for m in molecules]
    assert statistics.sizes == {
        n: pytest.approx(sizes.count(n) / len(sizes)) for n in sorted(set(sizes))
    }


def test_placeholders(statistics: Statistics) -> None:
    config = TrainConfig(data="a", output="b").process
    before = str(config)
    product = Product.from_config(statistics.resolve(config))
    assert str(config) == before
    assert product.gaussian()["positions"].scale == statistics.spread
    assert product.to_config()["types"]["space"]["probabilities"] == list(
        statistics.marginals["types"]
    )
    uniform = statistics.resolve({"bonds": {"name": "jump", "noise": "uniform"}})
    assert uniform["bonds"]["space"]["probabilities"] == [0.25] * 4


@pytest.mark.parametrize(
    "process", [{"types": {"noise": "margnal"}}, {"tpyes": {"noise": "uniform"}}]
)
def test_wrong_placeholders(statistics: Statistics, process: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ConfigError):
        statistics.resolve(process)
