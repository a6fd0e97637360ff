"""Batches of equally large molecules, in an order that is a function of seed and step.

The position in an epoch need not be stored: step k of a run always gets the same molecules,
noised with the same random numbers.

**Balance.**  All batches may hold equally many molecules; then the cost of a step grows with their
size.  Or they may cost the same (:func:`cost`), with fewer molecules the larger these are.  A batch
of m molecules then has the weight m / (mean m) in the loss: over an epoch the weighted losses
average to the mean over molecules, so that every molecule counts the same and the gradient is
unbiased.

*Noise.*  The mean gradient of m molecules of n atoms has the variance v_n / m.  The loss of a
molecule is a mean over its atoms and pairs, so v_n falls with n; between batches of equal cost, the
one of larger molecules has fewer atoms and more pairs.  The weighted gradient has the variance
m v_n / (mean m)^2, proportional to m: summed over an epoch it is that of the molecules, however
they are grouped.  What is new is that steps differ in length, as the weights do; the moments of the
optimizer average over steps of all sizes, and ``clip`` mostly bounds those of small molecules.
"""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.errors import DataError
from moldiff.train.conditions import Labels
from moldiff.train.refined import Refined

__all__ = ["Levels", "RefinedBatches", "SizeBuckets", "cost"]

_STREAM = 22  # of random numbers
_PAIR = 0.1  # cost of a pair in units of that of an atom


def cost(n: float) -> float:
    """Return the cost of a molecule of n atoms in a training step, in units of an atom's.

    It is n + 0.1 n(n-1)/2: networks have features of atoms and of pairs.  For the default network
    the memory of a pair is a little more than a tenth of an atom's, its time a little less.
    ``pytest tests/train/test_cost.py -m slow -s`` measures both, in steps that this function makes
    equal.
    """
    return n + _PAIR * n * (n - 1) / 2


class SizeBuckets:
    """Endless batches of molecules that have the same number of atoms.

    Parameters
    ----------
    store:
        The source of the molecules.
    indices:
        The molecules to use, (k,).
    batch:
        Molecules per batch, where they differ: at the mean size of the molecules.
    seed:
        Seed of the order.
    labels:
        Properties of the molecules, for a conditional model.
    balance:
        "molecules": equally many in every batch, but for a smaller last one of each size, which
        counts as much as the others (its molecules more).  "cost": equal cost; the molecules of a
        size are divided evenly among its batches.  A size with few molecules makes one small batch,
        whose loss has a small weight.
    """

    def __init__(
        self,
        store: Store,
        indices: npt.NDArray[np.int64],
        *,
        batch: int,
        seed: int,
        labels: Labels | None = None,
        balance: Literal["molecules", "cost"] = "molecules",
    ) -> None:
        self.store, self.batch, self.seed, self.labels = store, batch, seed, labels
        self.balance: Literal["molecules", "cost"] = balance
        sizes = np.asarray(store.sizes)[indices]
        self.buckets = {int(n): indices[sizes == n] for n in np.unique(sizes) if n > 1}
        counts = {n: len(bucket) for n, bucket in self.buckets.items()}
        molecules = max(1, sum(counts.values()))
        self.typical = sum(n * count for n, count in counts.items()) / molecules
        self.per_epoch = sum(-(-count // self.most(n)) for n, count in counts.items())
        self.mean = molecules / max(1, self.per_epoch)
        if not self.per_epoch:
            raise DataError(
                f"{store.path} holds no molecule of two or more atoms to train on.",
                fix="Prepare it again with a larger share for training.",
            )

    def most(self, n: int) -> int:
        """Return the largest number of molecules of n atoms in a batch."""
        if self.balance == "molecules":
            return self.batch
        return max(1, round(self.batch * cost(self.typical) / cost(n)))

    def weight(self, batch: Batch) -> float:
        """Return the weight of a batch in the loss; its mean over an epoch is 1."""
        return batch.graphs / self.mean if self.balance == "cost" else 1.0

    @functools.lru_cache(maxsize=2)  # noqa: B019  (one loader lives as long as its run)
    def epoch(self, number: int) -> list[npt.NDArray[np.int64]]:
        """Return the batches of an epoch as arrays of molecule indices."""
        random = np.random.default_rng([self.seed, number])
        batches = [
            chunk
            for n, bucket in self.buckets.items()
            for chunk in self._chunks(random.permutation(bucket), self.most(n))
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

    def _chunks(self, indices: npt.NDArray[np.int64], most: int) -> list[npt.NDArray[np.int64]]:
        if self.balance == "molecules":
            return np.split(indices, range(most, len(indices), most))
        return np.array_split(indices, -(-len(indices) // most))


class Levels(NamedTuple):
    """A batch, and the range of times that it trains."""

    batch: Batch
    low: float
    high: float


class RefinedBatches:
    """Endless batches of two sets of molecules, the second of refined geometry.

    Which one a step draws from is a function of seed and step.
    """

    def __init__(self, plain: SizeBuckets, fine: SizeBuckets, refined: Refined) -> None:
        self.plain, self.fine, self.refined = plain, fine, refined
        self.per_epoch = round(plain.per_epoch / (1 - refined.share))

    def __getitem__(self, step: int) -> Levels:
        random = np.random.default_rng([self.plain.seed, _STREAM, step])
        if random.random() < self.refined.share:
            return Levels(self.fine[step], 0.0, self.refined.until)
        return Levels(self.plain[step], self.refined.until, 1.0)

    def weight(self, batch: Batch) -> float:
        """Return the weight of a batch in the loss; its mean is 1."""
        mean = (1 - self.refined.share) * self.plain.mean + self.refined.share * self.fine.mean
        return batch.graphs / mean if self.plain.balance == "cost" else 1.0
