"""Statistics of the data that a new model needs: class frequencies, spread and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.data.store import Store
from moldiff.diffusion.process import PowerLaw
from moldiff.errors import ConfigError, did_you_mean

__all__ = ["Spread", "Statistics"]


@dataclass(frozen=True)
class Spread:
    """The root mean square of centred values, from sums over batches of equally large graphs."""

    rows: list[tuple[int, int, float, int]] = field(default_factory=list)

    def add(self, n: int, graphs: int, squares: float, values: int) -> None:
        """Add a batch of graphs of n atoms: the sum of squares of its values, and their number."""
        self.rows.append((n, graphs, squares, values))

    @property
    def total(self) -> float:
        """The root mean square of all values."""
        squares, values = (sum(row[k] for row in self.rows) for k in (2, 3))
        return round((squares / values) ** 0.5, 4)

    @property
    def law(self) -> PowerLaw:
        """The power of the number of atoms that the root mean square follows.

        By least squares of its logarithm over sizes, weighted with their numbers of graphs; the
        exponent is 0 if there is one size only.
        """
        sums: dict[int, npt.NDArray[np.float64]] = {}
        for n, *counts in self.rows:
            sums[n] = sums.get(n, np.zeros(3)) + counts
        spread = {n: s for n, s in sums.items() if s[1] > 0}  # a single atom has none
        if not spread:
            return PowerLaw(1.0, 1.0, 0.0)
        sizes = np.array(list(spread), dtype=np.float64)
        graphs, squares, values = np.array(list(spread.values())).T
        atoms = round(float(np.average(sizes, weights=graphs)), 1)
        *slope, level = np.polyfit(
            np.log(sizes / atoms),
            0.5 * np.log(squares / values),
            min(1, len(sizes) - 1),
            w=np.sqrt(graphs),
        )
        return PowerLaw(round(float(np.exp(level)), 4), atoms, round(float(sum(slope)), 4))

    def fill(self, scale: Any) -> Any:
        """Return the scale of a process that a configuration writes: as it is, or as measured.

        Raises
        ------
        ConfigError
            If it is text other than ``data`` (the spread) and ``size`` (the power law).
        """
        if scale == "size":
            return asdict(self.law)
        if isinstance(scale, str) and scale != "data":
            raise ConfigError(
                f"The scale of a process cannot be '{scale}'.",
                fix="Write a number in Å, 'data' (one spread, measured) or 'size' (one for each "
                "number of atoms, fitted).",
            )
        return self.total if scale == "data" else scale


@dataclass(frozen=True)
class Statistics:
    """Frequencies of classes by field, spread of coordinates (Å per axis), sizes."""

    marginals: Mapping[str, tuple[float, ...]]
    coordinates: Spread
    sizes: Mapping[int, float]

    @property
    def spread(self) -> float:
        """The spread of the coordinates of all sizes, in Å per axis."""
        return self.coordinates.total

    @classmethod
    def of(cls, store: Store, indices: npt.NDArray[np.int64]) -> Statistics:
        """Measure the molecules ``indices`` of a store."""
        classes = store.vocabulary.classes
        counts = {name: np.zeros(k) for name, k in classes.items()}
        spread = Spread()
        sizes = np.asarray(store.sizes)[indices]
        for n in np.unique(sizes):
            for chunk in np.array_split(indices[sizes == n], max(1, (sizes == n).sum() // 4096)):
                fields = store.gather(chunk)
                for name, k in classes.items():
                    counts[name] += np.bincount(fields[name].ravel(), minlength=k)
                x = fields["positions"].astype(np.float64)
                squares = float(np.square(x - x.mean(1, keepdims=True)).sum())
                spread.add(int(n), len(x), squares, x.size)
        # Absent classes get a small weight, so that noise can reach every state.
        marginals = {}
        for name, count in counts.items():
            smoothed = count / count.sum() + 1e-4
            marginals[name] = tuple(float(p) for p in (smoothed / smoothed.sum()).round(6))
        frequencies = {int(n): float((sizes == n).mean()) for n in np.unique(sizes)}
        return cls(marginals, spread, frequencies)

    def resolve(self, process: Mapping[str, Any]) -> dict[str, Any]:
        """Fill the placeholders of a process configuration.

        ``scale: data`` becomes the spread, ``scale: size`` the power of the number of atoms that
        it follows (`moldiff.diffusion.process.PowerLaw`); ``noise: marginal | uniform | mask``
        becomes a categorical space (with one extra class for a mask).
        """
        resolved: dict[str, Any] = {}
        for name, part in process.items():
            part = dict(part)
            if "scale" in part:
                part["scale"] = self.coordinates.fill(part["scale"])
            if "noise" in part:
                kind = str(part.pop("noise"))
                space = {"name": "categorical", "probabilities": list(self._noise(name, kind))}
                part["space"] = space | ({"mask": True} if kind == "mask" else {})
            resolved[name] = part
        return resolved

    def _noise(self, name: str, kind: str) -> tuple[float, ...]:
        if name not in self.marginals:
            raise ConfigError(
                f"'{name}' is not a field with classes.", fix=did_you_mean(name, self.marginals)
            )
        k = len(self.marginals[name])
        kinds = {
            "marginal": self.marginals[name],
            "uniform": (1 / k,) * k,
            "mask": (*(0.0,) * k, 1.0),
        }
        if kind not in kinds:
            raise ConfigError(
                f"The noise of '{name}' cannot be '{kind}'.", fix=f"Known: {', '.join(kinds)}."
            )
        return kinds[kind]
