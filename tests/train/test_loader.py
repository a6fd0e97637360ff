"""Batches: equal sizes, every molecule once per epoch, order a function of seed and step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.errors import DataError
from moldiff.train.loader import SizeBuckets


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


def test_nothing_to_train_on_is_said(store: Store) -> None:
    with pytest.raises(DataError):
        SizeBuckets(store, store.indices("train")[:0], batch=4, seed=0)
