"""Statistics of the data, and the placeholders of a configuration they fill."""

from __future__ import annotations

import numpy as np
import pytest

from moldiff.data.store import Store
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError
from moldiff.train.config import TrainConfig
from moldiff.train.statistics import Spread, Statistics


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


def test_a_scale_by_size_gives_every_size_unit_spread(broad: Store) -> None:
    statistics = Statistics.of(broad, broad.indices("train"))
    gaussian = {"name": "gaussian", "schedule": "cosine"}
    config = {"positions": {**gaussian, "scale": "size"}}
    resolved = statistics.resolve(config)
    assert config == {"positions": {**gaussian, "scale": "size"}}  # the input is kept
    assert set(resolved["positions"]["scale"]) == {"spread", "atoms", "exponent"}
    product = Product.from_config(resolved)
    sizes = np.asarray(broad.sizes)
    one = statistics.spread
    for n in range(10, 41):
        x = broad.gather(np.flatnonzero(sizes == n))["positions"]
        spread = float((x - x.mean(1, keepdims=True)).std())
        scale = product["positions"].sized((1, n, 3)).unit  # type: ignore[attr-defined]
        assert spread / scale == pytest.approx(1, abs=0.04)
        if n < 13 or n > 36:
            assert abs(spread / one - 1) > 0.15  # which one number for all does not give
    law = resolved["positions"]["scale"]
    # The mean of n atoms is subtracted: it takes a little of the spread, more where they are few.
    assert law["exponent"] == pytest.approx(0.4, abs=0.05) and 20 < law["atoms"] < 24


def test_data_of_one_size_have_no_exponent(broad: Store) -> None:
    chosen = np.flatnonzero(np.asarray(broad.sizes) == 22)
    statistics = Statistics.of(broad, chosen)
    law = statistics.coordinates.law
    assert (law.exponent, law.atoms) == (0, 22)
    assert law.spread == pytest.approx(statistics.spread, abs=2e-4)


def test_sizes_count_as_often_as_they_occur() -> None:
    """Two sizes with nearly all graphs fix the line; a single graph of a third hardly moves it."""
    spread = Spread()
    for n, graphs, at_n in ((10, 5000, 1.0), (20, 5000, 2.0), (40, 1, 40.0), (1, 500, 0.0)):
        spread.add(n, graphs, graphs * n * 3 * at_n**2, graphs * n * 3)
    assert spread.law.exponent == pytest.approx(1, abs=0.01)
    assert spread.law(20) == pytest.approx(2, rel=0.01)


def test_an_unknown_scale_is_refused(statistics: Statistics) -> None:
    with pytest.raises(ConfigError, match="'sizes'") as caught:
        statistics.resolve({"positions": {"name": "gaussian", "scale": "sizes"}})
    assert "'data'" in caught.value.fix and "'size'" in caught.value.fix


@pytest.mark.parametrize(
    "process", [{"types": {"noise": "margnal"}}, {"tpyes": {"noise": "uniform"}}]
)
def test_wrong_placeholders(statistics: Statistics, process: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ConfigError):
        statistics.resolve(process)
