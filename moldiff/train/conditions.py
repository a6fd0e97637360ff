"""Labels of a conditional model: properties of the molecules, in units of their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moldiff.chem.properties import PROPERTIES, check_properties, properties
from moldiff.data.store import Store
from moldiff.diffusion.guidance.condition import Condition

__all__ = ["Labels"]

_SAMPLE = 5000  # molecules in the statistics: computing the properties of all takes minutes


class Labels:
    """Properties of a store's molecules, each computed on first use.

    Parameters
    ----------
    store:
        The molecules, with any properties stored beside them.
    names:
        The k properties: names from `moldiff.chem.properties`, or columns of the store.
    indices:
        The molecules whose mean and spread define the units.
    conditions:
        The units, if they are known: those of other data.

    Raises
    ------
    ConfigError
        If a property is unknown, or constant over the data.
    """

    def __init__(
        self,
        store: Store,
        names: Sequence[str],
        indices: npt.NDArray[np.int64],
        conditions: tuple[Condition, ...] = (),
    ) -> None:
        check_properties(names, store.property_names)
        self.store, self.names = store, tuple(names)
        self._values = np.full((len(store), len(names)), np.nan)
        self._cached = np.zeros(len(store), bool)
        self.conditions = conditions or self._measured(indices)

    def values(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the properties of molecules, (b, k), in their units; NaN where it is missing."""
        computed = [k for k, name in enumerate(self.names) if name in PROPERTIES]
        for k in set(range(len(self.names))) - set(computed):
            assert self.store.properties is not None  # its columns have names
            column = self.store.property_names.index(self.names[k])
            self._values[indices, k] = self.store.properties[indices, column]
        for i in indices[~self._cached[indices]] if computed else ():
            names = [self.names[k] for k in computed]
            self._values[i, computed] = properties(self.store.smiles(int(i)), names)
        self._cached[indices] = True
        return self._values[indices]

    def __call__(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the properties of molecules as the network receives them, (b, k)."""
        mean, std = (np.array([getattr(c, x) for c in self.conditions]) for x in ("mean", "std"))
        return ((self.values(indices) - mean) / std).astype(np.float32)

    def _measured(self, indices: npt.NDArray[np.int64]) -> tuple[Condition, ...]:
        """Return the conditions in units of the molecules' spread."""
        random = np.random.default_rng(0)
        sample = np.sort(random.permutation(indices)[:_SAMPLE])
        values, sizes = self.values(sample), np.asarray(self.store.sizes)[sample]
        return tuple(
            _condition(name, self._unit(name), values[:, k], sizes)
            for k, name in enumerate(self.names)
        )

    def _unit(self, name: str) -> str:
        if name in PROPERTIES:
            return PROPERTIES[name].unit
        return self.store.property_units[self.store.property_names.index(name)]


def _condition(
    name: str, unit: str, values: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64]
) -> Condition:
    finite = np.isfinite(values)
    values, sizes = values[finite], sizes[finite]
    if not len(values):
        return Condition(name, float("nan"), 0.0, 0.0, 0.0)  # its checks raise the error
    mean, std = float(values.mean()), float(values.std())
    low, high = (float(q) for q in np.quantile(values, (0.01, 0.99)))
    by_size = {int(n): _shrunk(values[sizes == n], mean, std) for n in np.unique(sizes)}
    mean, std, low, high = (_short(x) for x in (mean, std, low, high))
    return Condition(name, mean, std, low, high, unit, by_size)


def _shrunk(values: npt.NDArray[np.float64], mean: float, std: float) -> tuple[float, float]:
    """Mean and deviation, shrunk towards those of all data by one extra pseudo-molecule."""
    count = len(values) + 1
    centre = (float(values.sum()) + mean) / count
    variance = (float(np.square(values - centre).sum()) + (mean - centre) ** 2 + std**2) / count
    return _short(centre), _short(variance**0.5)


def _short(value: float) -> float:
    """Round to six digits, as a model file stores it."""
    return float(f"{value:.6g}")
