"""A measured number with what belongs to it: sample size, 95 % interval, or why there is none.

Rates carry Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 209, 1927), other
statistics a percentile bootstrap (B. Efron, Ann. Stat. 7, 1, 1979).  The resampling starts
from a fixed seed of its own and from sorted values, so the same molecules in any order give
the same interval.

Shares of distinct molecules (unique, novel, valid × unique) carry no interval: how many
molecules are distinct is no binomial count, and it depends on how many were drawn, so such a
number belongs to its sample size and not to the generator alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Value", "bootstrap", "bootstrap_distance", "distinct_share", "missing", "rate"]

_Z95 = 1.959963984540054
_RESAMPLES = 300

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Value:
    """One result.

    Attributes
    ----------
    value:
        The number; NaN if it is not applicable.
    n:
        How many things (molecules, atoms, distinct molecules) it was computed from.
    low, high:
        95 % interval, None where none is defined.
    reason:
        Why ``value`` is NaN; None otherwise.
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def __str__(self) -> str:
        """The number with its interval and its sample size, as ``print`` shows it."""
        if not math.isfinite(self.value):
            return f"no value: {self.reason}"
        known = self.low is not None and self.high is not None
        interval = f" (95 % {self.low:.4g} to {self.high:.4g})" if known else ""
        return f"{self.value:.4g}{interval}, of {self.n}"

    def text(self, digits: int, unit: str = "") -> str:
        """The number with its interval as tables show it, "0.38 (0.29 to 0.48)"; a dash if none.

        The unit "%" makes it per cent: "38.0 % (29.0 to 48.0)".
        """
        if not math.isfinite(self.value):
            return "–"
        factor, after = (100, " %") if unit == "%" else (1, unit)
        shown = f"{factor * self.value:.{digits}f}{after}"
        if self.low is None or self.high is None:
            return shown
        return f"{shown} ({factor * self.low:.{digits}f} to {factor * self.high:.{digits}f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN becomes None."""
        return {
            "value": self.value if math.isfinite(self.value) else None,
            "n": self.n,
            "low": self.low,
            "high": self.high,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Value:
        """Inverse of `to_dict`."""
        value = math.nan if data["value"] is None else float(data["value"])
        return cls(value, int(data["n"]), data["low"], data["high"], data["reason"])


def missing(reason: str) -> Value:
    """A result that does not exist, and why."""
    return Value(math.nan, 0, reason=reason)


def rate(successes: float, total: int, reason: str = "no molecules") -> Value:
    """Fraction ``successes / total`` with Wilson's interval; `missing` if ``total`` is 0.

    Successes need not be whole: of things tried several times each, those are their mean shares.
    """
    if total == 0:
        return missing(reason)
    p, z2 = successes / total, _Z95**2
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 * math.sqrt(p * (1 - p) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    # Rounding must not leave the value itself outside of its interval.
    return Value(p, total, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def distinct_share(distinct: int, total: int, reason: str = "no molecules") -> Value:
    """``distinct / total`` without an interval (see above); `missing` if ``total`` is 0."""
    return Value(distinct / total, total) if total else missing(reason)


def bootstrap(
    rows: Array, statistic: Callable[[Array], float], reason: str = "no molecules"
) -> Value:
    """``statistic(rows)`` with a bootstrap interval over the n rows of ``rows`` (n,) or (n, k)."""
    if len(rows) == 0:
        return missing(reason)
    value, low, high = _resampled(rows, statistic)
    return Value(value, len(rows), low, high)


def bootstrap_distance(
    rows: Array, statistic: Callable[[Array], float], reason: str = "no molecules"
) -> Value:
    """Like `bootstrap`, for a distance, which is never negative.

    Noise only adds to a distance that is near 0: resampled ones lie above the value as the value
    lies above the true distance.  So the interval is as wide below the value (down to 0) as the
    resampled ones reach above it.
    """
    if len(rows) == 0:
        return missing(reason)
    value, _, high = _resampled(rows, statistic)
    half = max(0.0, high - value)
    return Value(value, len(rows), max(0.0, value - half), value + half)


def _resampled(rows: Array, statistic: Callable[[Array], float]) -> tuple[float, float, float]:
    """The statistic, and the quantiles 0.025 and 0.975 of those of resampled rows."""
    n = len(rows)
    rows = rows[np.lexsort(rows.reshape(n, -1).T[::-1])]
    rng = np.random.default_rng(0)
    draws = [statistic(rows[rng.integers(0, n, n)]) for _ in range(_RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(statistic(rows)), float(low), float(high)
