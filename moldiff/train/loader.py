"""Batches of equally large molecules, in an order that is a function of seed and step.

The position in an epoch need not be stored: step k of a run always gets the same molecules,
noised with the same random numbers.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import torch

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.errors import DataError
from moldiff.train.conditions import Labels

__all__ = ["SizeBuckets"]


class SizeBuckets:
    """Endless batches of molecules that have the same number of atoms.

    Parameters
    ----------
    store:
        The source of the molecules.
    indices:
        The molecules to use, (k,).
    batch:
        Molecules per batch; the last batch of a size may be smaller.
    seed:
        Seed of the order.
    labels:
        Properties of the molecules, for a conditional model.
    """

    def __init__(
        self,
        store: Store,
        indices: npt.NDArray[np.int64],
        *,
        batch: int,
        seed: int,
        labels: Labels | None = None,
    ) -> None:
        self.store, self.batch, self.seed, self.labels = store, batch, seed, labels
        sizes = np.asarray(store.sizes)[indices]
        self.buckets = {int(n): indices[sizes == n] for n in np.unique(sizes) if n > 1}
        self.per_epoch = sum(-(-len(bucket) // batch) for bucket in self.buckets.values())
        if not self.per_epoch:
            raise DataError(
                f"{store.path} holds no molecule of two or more atoms to train on.",
                fix="Prepare it again with a larger share for training.",
            )

    @functools.lru_cache(maxsize=2)  # noqa: B019  (one loader lives as long as its run)
    def epoch(self, number: int) -> list[npt.NDArray[np.int64]]:
        """Return the batches of an epoch as arrays of molecule indices."""
        random = np.random.default_rng([self.seed, number])
        batches = [
            chunk
            for bucket in self.buckets.values()
            for chunk in _chunks(random.permutation(bucket), self.batch)
        ]
        return [batches[i] for i in random.permutation(len(batches))]

    def __getitem__(self, step: int) -> Batch:
        """Return the batch of a step: centred coordinates, classes, conditions in its context."""
        number, position = divmod(step, self.per_epoch)
        chosen = self.epoch(number)[position]
        fields = {f: torch.from_numpy(v) for f, v in self.store.gather(chosen).items()}
        labels = None if self.labels is None else torch.from_numpy(self.labels(chosen))
        batch = Batch(fields).given(conditions=labels)
        positions = batch["positions"]
        return batch.replace(positions=positions - positions.mean(1, keepdim=True))


def _chunks(indices: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]
