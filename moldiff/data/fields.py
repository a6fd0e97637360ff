"""Numbers that records bring along (SDF's data fields), as properties of a store.

A field is kept if it has numbers, and no more values that are none: a blank, "nan", "n/a" and their
like are values that are not given, and so is a text among numbers, as in ``>100``.  A field of the
name of a property that moldiff computes itself is left to that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.chem.properties import PROPERTIES

__all__ = ["Fields", "columns", "placed"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_NOT_GIVEN = frozenset({"", "nan", "na", "n/a", "none", "null", "-", "--", "?", "."})
_SHOWN = 12


def columns(tags: Sequence[Mapping[str, str]]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Names of the k fields with numbers, and their values (n, k); NaN where not given."""
    names = sorted({key for row in tags for key, text in row.items() if _number(text) is not None})
    values = [[_number(row.get(name, "")) for name in names] for row in tags]
    return names, np.array(values, np.float64).reshape(len(tags), len(names))


def _number(text: str) -> float | None:
    plain = text.strip()
    value = float(plain) if _NUMBER.fullmatch(plain) else math.nan
    return value if math.isfinite(value) else None


def _is_text(text: str) -> bool:
    return _number(text) is None and text.strip().lower() not in _NOT_GIVEN


@dataclass(frozen=True)
class Fields:
    """Of each field, how many molecules have a number, and how many another text."""

    counts: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, tags: Iterable[Mapping[str, str]]) -> Fields:
        """Count the fields of some molecules."""
        counts = dict[str, tuple[int, int]]()
        for row in tags:
            for key, text in row.items():
                numbers, texts = counts.get(key, (0, 0))
                number = _number(text) is not None
                counts[key] = numbers + number, texts + _is_text(text)
        return cls(counts)

    @classmethod
    def union(cls, parts: Iterable[Fields]) -> Fields:
        """Add up the counts of several groups of molecules."""
        total = dict[str, tuple[int, int]]()
        for part in parts:
            for key, (numbers, texts) in part.counts.items():
                before = total.get(key, (0, 0))
                total[key] = before[0] + numbers, before[1] + texts
        return cls(total)

    @property
    def kept(self) -> list[str]:
        """Names of the fields that become properties."""
        return sorted(
            name
            for name, (numbers, texts) in self.counts.items()
            if numbers and texts <= numbers and name not in PROPERTIES
        )

    def remarks(self) -> Iterator[str]:
        """Say which fields are kept, and which are not and why."""
        if kept := [f"{name} ({self.counts[name][0]})" for name in self.kept]:
            yield f"Fields kept as properties (molecules with a number): {_listed(kept)}."
        computed = sorted(self.counts.keys() & PROPERTIES.keys())
        if computed:
            yield f"Fields left out, as moldiff computes them itself: {_listed(computed)}."
        rest = self.counts.keys() - {*self.kept, *computed}
        if texts := sorted(name for name in rest if self.counts[name][1]):
            yield f"Fields left out, as most of their values are no numbers: {_listed(texts)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def placed(
    values: npt.NDArray[np.float64], names: Sequence[str], wanted: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Columns ``wanted``, (n, w), of values (n, k) named ``names``; NaN for what is not there."""
    result = np.full((len(values), len(wanted)), np.nan)
    for k, name in enumerate(wanted):
        if name in names:
            result[:, k] = values[:, names.index(name)]
    return result
