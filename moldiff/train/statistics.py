"""Statistics of the data that a new model needs: class frequencies, spread and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.data.store import Store
from moldiff.errors import ConfigError, did_you_mean

__all__ = ["Statistics"]


@dataclass(frozen=True)
class Statistics:
    """Frequencies of classes by field, spread of coordinates (Å per axis), sizes."""

    marginals: Mapping[str, tuple[float, ...]]
    spread: float
    sizes: Mapping[int, float]

    @classmethod
    def of(cls, store: Store, indices: npt.NDArray[np.int64]) -> Statistics:
        """Measure the molecules ``indices`` of a store."""
        classes = store.vocabulary.classes
        counts = {name: np.zeros(k) for name, k in classes.items()}
        squares, values = 0.0, 0
        sizes = np.asarray(store.sizes)[indices]
        for n in np.unique(sizes):
            for chunk in np.array_split(indices[sizes == n], max(1, (sizes == n).sum() // 4096)):
                fields = store.gather(chunk)
                for name, k in classes.items():
                    counts[name] += np.bincount(fields[name].ravel(), minlength=k)
                x = fields["positions"].astype(np.float64)
                squares += float(np.square(x - x.mean(1, keepdims=True)).sum())
                values += x.size
        # Absent classes get a small weight, so that noise can reach every state.
        marginals = {}
        for name, count in counts.items():
            smoothed = count / count.sum() + 1e-4
            marginals[name] = tuple(float(p) for p in (smoothed / smoothed.sum()).round(6))
        frequencies = {int(n): float((sizes == n).mean()) for n in np.unique(sizes)}
        return cls(marginals, round((squares / values) ** 0.5, 4), frequencies)

    def resolve(self, process: Mapping[str, Any]) -> dict[str, Any]:
        """Fill the placeholders of a process configuration.

        ``scale: data`` becomes the spread; ``noise: marginal | uniform | mask`` becomes a
        categorical space (with one extra class for a mask).
        """
        resolved: dict[str, Any] = {}
        for name, part in process.items():
            part = dict(part)
            if part.get("scale") == "data":
                part["scale"] = self.spread
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
