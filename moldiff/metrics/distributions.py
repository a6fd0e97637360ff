"""Distributions against a reference: Wasserstein-1 distances.

The distance between two one-dimensional distributions is the area between their quantile
functions, or, for counts, between their cumulative histograms; it has the unit of the
feature.  A continuous reference is kept as 1024 quantiles, a histogram exactly.  Every
molecule with a graph and finite coordinates counts, valid or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.metrics.geometry import Features, features
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, missing

__all__ = ["Distances", "Distribution", "Distributions", "measure", "pool"]

QUANTILES = 1024
# Fewer values than this make no distribution: the class is left out.
_FEWEST_REFERENCE = 200
_FEWEST = 10

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """A continuous distribution: ``size`` values as quantiles at levels (k + 1/2) / QUANTILES."""

    quantiles: npt.NDArray[np.float32]
    size: int

    @classmethod
    def of(cls, values: Array) -> Distribution:
        """Summarise the values."""
        return cls(_quantiles(values).astype(np.float32), len(values))

    def distance(self, values: Array) -> float:
        """Wasserstein-1 distance of the values to this distribution."""
        return float(np.mean(np.abs(_quantiles(values) - self.quantiles.astype(np.float64))))


def _quantiles(values: Array) -> Array:
    return np.quantile(values, (np.arange(QUANTILES) + 0.5) / QUANTILES)


@dataclass(frozen=True)
class Distributions:
    """The distributions of a set of molecules: continuous ones, and histograms (index = count)."""

    continuous: dict[str, Distribution]
    counts: dict[str, Array]


@dataclass(frozen=True)
class Pool:
    """All values of ``molecules`` molecules, by feature."""

    molecules: int
    continuous: dict[str, Array]
    counts: dict[str, Counter[int]]

    def distributions(self) -> Distributions:
        """Summarise, leaving out classes too small to have a distribution."""
        continuous = {
            name: Distribution.of(values)
            for name, values in self.continuous.items()
            if len(values) >= _FEWEST_REFERENCE
        }
        return Distributions(continuous, {k: self.histogram(k) for k in self.counts})

    def histogram(self, name: str) -> Array:
        """Relative frequencies of 0, 1, 2, ...; a molecule without an element has 0 of it."""
        counter = Counter(self.counts.get(name, {}))
        if name.startswith("element_count/"):
            counter[0] += self.molecules - sum(counter.values())
        values = np.zeros(max(counter, default=0) + 1)
        for count, times in counter.items():
            values[count] = times
        frequencies: Array = values / max(values.sum(), 1.0)
        return frequencies


def pool(items: Sequence[Features | None]) -> Pool:
    """Put the features of molecules together; None is left out."""
    known = [item for item in items if item is not None]
    lists: dict[str, list[Array]] = {}
    counts: dict[str, Counter[int]] = {}
    for item in known:
        for name, values in item.continuous.items():
            lists.setdefault(name, []).append(values)
        for name, counter in item.counts.items():
            counts.setdefault(name, Counter()).update(counter)
    return Pool(len(known), {k: np.concatenate(v) for k, v in lists.items()}, counts)


@dataclass(frozen=True)
class Distances:
    """The molecules' features beside the reference's."""

    pool: Pool
    reference: Distributions | None
    total: int

    def failures(self) -> list[str]:
        """One entry for each molecule without features."""
        return ["no graph with finite coordinates"] * (self.total - self.pool.molecules)

    def bond_length(self) -> Value:
        """All bond lengths together, Å."""
        return self._continuous("bond_length")

    def bond_length_by_type(self) -> Value:
        """Mean over bond types, weighted by their frequency in the reference, Å."""
        return self._by_class("bond_length/")

    def angle(self) -> Value:
        """All bond angles together, degrees."""
        return self._continuous("angle")

    def angle_by_centre(self) -> Value:
        """Mean over central elements, weighted by their frequency in the reference, degrees."""
        return self._by_class("angle/")

    def torsion(self) -> Value:
        """All absolute torsions together, degrees."""
        return self._continuous("torsion")

    def atom_count(self) -> Value:
        """Atoms per molecule."""
        return self._count("atom_count")

    def ring_count(self) -> Value:
        """Rings per molecule."""
        return self._count("ring_count")

    def ring_size(self) -> Value:
        """Atoms per ring, over all rings."""
        return self._count("ring_size")

    def element_count(self) -> Value:
        """Atoms of one element per molecule, summed over the elements."""
        known = self._elements()
        values = [self._count(name) for name in known]
        if not values or any(v.reason for v in values):
            return values[0] if values else missing("no reference")
        return Value(sum(v.value for v in values), self.pool.molecules)

    def per_class(self) -> dict[str, Value]:
        """The distances of single bond types, central elements and elements."""
        if self.reference is None:
            return {}
        classes = [name for name in sorted(self.reference.continuous) if "/" in name]
        return {k: self._continuous(k) for k in classes} | {
            k: self._count(k) for k in self._elements()
        }

    def _elements(self) -> list[str]:
        reference = {} if self.reference is None else self.reference.counts
        names = {*reference, *self.pool.counts} if reference else set()
        return sorted(name for name in names if name.startswith("element_count/"))

    def _continuous(self, name: str) -> Value:
        if self.reference is None or name not in self.reference.continuous:
            return missing("no reference")
        values = self.pool.continuous.get(name, np.zeros(0))
        if len(values) < _FEWEST:
            return missing(f"{len(values)} values, {_FEWEST} needed")
        return Value(self.reference.continuous[name].distance(values), len(values))

    def _by_class(self, prefix: str) -> Value:
        if self.reference is None:
            return missing("no reference")
        names = [name for name in sorted(self.reference.continuous) if name.startswith(prefix)]
        classes = [(self.reference.continuous[k].size, self._continuous(k)) for k in names]
        classes = [(size, value) for size, value in classes if value.reason is None]
        if not classes:
            return missing("no class with enough values")
        weight = sum(size for size, _ in classes)
        mean = sum(size * value.value for size, value in classes) / weight
        return Value(mean, sum(value.n for _, value in classes))

    def _count(self, name: str) -> Value:
        if self.reference is None:
            return missing("no reference")
        n = self.pool.molecules
        if name == "ring_size":
            n = sum(self.pool.counts.get(name, Counter()).values())
        if n == 0:
            return missing("no rings" if name == "ring_size" else "no molecules")
        ours = self.pool.histogram(name)
        theirs = self.reference.counts.get(name, np.ones(1))
        size = max(len(ours), len(theirs))
        gap = np.pad(ours, (0, size - len(ours))) - np.pad(theirs, (0, size - len(theirs)))
        return Value(float(np.abs(np.cumsum(gap)).sum()), n)


def measure(
    items: Sequence[Sample],
    reference: Distributions | None,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Distances | str:
    """Measure all molecules; a string says why the protocol does not apply."""
    if items and all(sample.positions is None for sample in items):
        return "no three-dimensional coordinates"
    rows = each(features, items, jobs=jobs, stage="distributions", progress=progress)
    return Distances(pool(rows), reference, len(items))
