"""Batches: equal sizes, every molecule once per epoch, order a function of seed and step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.errors import DataError
from moldiff.train.loader import SizeBuckets, cost


@pytest.fixture
def loader(store: Store) -> SizeBuckets:
    return SizeBuckets(store, store.indices("train"), batch=4, seed=3)


def equal(a: Batch, b: Batch) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_every_molecule_once_per_epoch(loader: SizeBuckets, store: Store) -> None:
    for number in range(3):
        seen = np.concatenate(loader.epoch(number))
        assert sorted(seen) == sorted(store.indices("train"))
        assert len(loader.epoch(number)) == loader.per_epoch
        for batch in loader.epoch(number):
            assert 1 <= len(batch) <= 4
            assert len({store[int(k)].types.size for k in batch}) == 1


def test_steps_walk_through_epochs(loader: SizeBuckets, store: Store) -> None:
    for step in (0, 1, loader.per_epoch, 2 * loader.per_epoch + 3):
        number, position = divmod(step, loader.per_epoch)
        expected = store.gather(loader.epoch(number)[position])
        assert np.array_equal(loader[step]["types"], expected["types"])
        assert np.array_equal(loader[step]["bonds"], expected["bonds"])


def test_order_is_a_function_of_seed_and_step(loader: SizeBuckets, store: Store) -> None:
    same = SizeBuckets(store, store.indices("train"), batch=4, seed=3)
    for step in (40, 0, 7, 7):  # in any order of asking
        assert equal(loader[step], same[step])
    orders = [
        [
            tuple(batch)
            for batch in SizeBuckets(store, store.indices("train"), batch=4, seed=s).epoch(e)
        ]
        for s, e in ((3, 0), (3, 1), (4, 0))
    ]
    assert all(a != b for a, b in pairwise([*orders, orders[0]]))


def test_molecules_meet_others_in_every_epoch(store: Store) -> None:
    loader = SizeBuckets(store, store.indices("train"), batch=2, seed=3)
    several = {int(k) for bucket in loader.buckets.values() if len(bucket) > 2 for k in bucket}
    pairs = [
        {frozenset(batch.tolist()) for batch in loader.epoch(k) if set(batch) <= several}
        for k in range(2)
    ]
    assert len(pairs[0]) > 10 and len(pairs[0] & pairs[1]) < 0.5 * len(pairs[0])


def test_fields(loader: SizeBuckets) -> None:
    batch = loader[0]
    b, n = batch.graphs, batch.atoms
    shapes = {name: tuple(value.shape) for name, value in batch.items()}
    assert shapes == {
        "positions": (b, n, 3),
        "types": (b, n),
        "charges": (b, n),
        "bonds": (b, n * (n - 1) // 2),
    }
    assert batch["positions"].dtype == torch.float32
    assert all(batch[name].dtype == torch.int64 for name in ("types", "charges", "bonds"))
    assert batch["positions"].mean(1).abs().max() < 1e-5


def test_batches_are_copies(loader: SizeBuckets) -> None:
    first = loader[0]
    held = first["types"].clone()
    first["types"].fill_(0)
    assert torch.equal(loader[0]["types"], held)


def by_cost(broad: Store, seed: int = 3) -> SizeBuckets:
    return SizeBuckets(broad, broad.indices("train"), batch=24, seed=seed, balance="cost")


def test_equally_many_molecules_is_the_default_and_as_it_was(store: Store) -> None:
    """Chunks of permutations by size, in a drawn order; every batch counts the same."""
    loader = SizeBuckets(store, store.indices("train"), batch=4, seed=3)
    random = np.random.default_rng([3, 1])
    sizes, train = np.asarray(store.sizes), store.indices("train")
    chunks = []
    for n in np.unique(sizes[train]):
        shuffled = random.permutation(train[sizes[train] == n])
        chunks += [shuffled[i : i + 4] for i in range(0, len(shuffled), 4)]
    expected = [chunks[i] for i in random.permutation(len(chunks))]
    found = loader.epoch(1)
    assert len(found) == len(expected) == loader.per_epoch
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert {loader.weight(loader[step]) for step in range(loader.per_epoch)} == {1.0}


def test_balanced_batches_hold_every_molecule_once(broad: Store) -> None:
    loader = by_cost(broad)
    for number in range(2):
        seen = np.concatenate(loader.epoch(number))
        assert sorted(seen) == sorted(broad.indices("train"))
        assert len(loader.epoch(number)) == loader.per_epoch


def test_balanced_batches_cost_the_same(broad: Store) -> None:
    loader, sizes = by_cost(broad), np.asarray(broad.sizes)
    assert loader.most(round(loader.typical)) == pytest.approx(24, abs=1)
    costs: dict[int, list[float]] = {}
    for batch in loader.epoch(0):
        n = int(sizes[batch[0]])
        costs.setdefault(n, []).append(len(batch) * cost(n))
    (few,) = costs.pop(41)  # three molecules: one batch
    assert few == 3 * cost(41) and set(costs) == set(range(10, 41))
    every = np.concatenate([costs[n] for n in costs if len(costs[n]) > 1])
    allowed = 24 * cost(loader.typical)
    assert every.max() < 1.05 * allowed  # but for rounding to whole molecules
    assert every.min() > 0.5 * allowed and np.median(every) > 0.75 * allowed
    # With equally many, a step costs several times as much for 40 atoms as for 10.
    assert cost(40) / cost(10) > 5 and loader.most(10) / loader.most(40) > 5


def test_every_molecule_of_an_epoch_counts_the_same(broad: Store) -> None:
    """A step's loss is a mean over its molecules, times the weight of the batch."""
    loader = by_cost(broad)
    share = np.zeros(len(broad))
    for step in range(loader.per_epoch):
        batch = loader[step]
        share[loader.epoch(0)[step]] += loader.weight(batch) / batch.graphs
    np.testing.assert_allclose(share, 1 / loader.mean)
    weights = [loader.weight(loader[step]) for step in range(loader.per_epoch)]
    assert np.mean(weights) == pytest.approx(1) and max(weights) / min(weights) > 5


def test_balanced_batches_are_a_function_of_seed_and_step(broad: Store) -> None:
    loader, same, other = by_cost(broad), by_cost(broad), by_cost(broad, seed=4)
    for step in (loader.per_epoch + 5, 0, 9, 9):
        assert equal(loader[step], same[step])
    orders = [[tuple(b) for b in one.epoch(k)] for one, k in ((loader, 0), (loader, 1), (other, 0))]
    assert all(a != b for a, b in pairwise([*orders, orders[0]]))


def test_nothing_to_train_on_is_said(store: Store) -> None:
    with pytest.raises(DataError):
        SizeBuckets(store, store.indices("train")[:0], batch=4, seed=0)
