"""Demands: which values of a property are wanted, as intervals.

::

    logp <= 3        fsp3 >= 0.4      tpsa = 60..90      rings = 2      n_Br = 0

Bounds belong to the interval.  Of counts (`Property.whole`) ``rings < 3`` is therefore
``rings <= 2``; of measured numbers ``<`` and ``<=`` are the same.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from moldiff.chem.properties import PROPERTIES
from moldiff.errors import InputError
from moldiff.text import ends

__all__ = [
    "ATOMS",
    "Interval",
    "as_interval",
    "compared",
    "demand_line",
    "element_of",
    "is_count",
    "parse_demand",
]

ATOMS = "atoms"
"""The size of a molecule whose hydrogens count; of others it is ``heavy_atoms``."""

_WORDS = {"<": "below", "..": "between"}
_ABOUT = 0.1  # "about" a count: give or take a tenth, and 1 at least


@dataclass(frozen=True)
class Interval:
    """The numbers from ``low`` to ``high``, both included; infinite where there is no bound.

    Raises
    ------
    InputError
        If it holds no finite number, or all of them.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        bounded = math.isfinite(self.low) or math.isfinite(self.high)
        if not bounded or not self.low <= self.high:  # false for NaN as well
            raise InputError(
                f"There is no finite number from {self.low} to {self.high} to ask for.",
                fix="Give a finite number, as in 1.5, or the smaller bound first, as in 60..90.",
            )

    @property
    def exact(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def meet(self, other: Interval) -> Interval | None:
        """Return the numbers that are in both, or None if there are none."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None

    def __str__(self) -> str:
        return _number(self.low) if self.exact else str(self.plain())

    def plain(self) -> float | str:
        """Return a plain value: a number, or a text such as ``<= 3`` or ``60..90``."""
        if self.exact:
            return self.low
        if self.low == -math.inf:
            return f"<= {_number(self.high)}"
        if self.high == math.inf:
            return f">= {_number(self.low)}"
        return f"{_number(self.low)}..{_number(self.high)}"


def as_interval(value: float | str | Interval) -> Interval:
    """Return the interval of one number, of a range as text, ``"20..25"``, or an interval itself.

    Raises
    ------
    InputError
        If it is none of these, or a range that ends below its beginning.
    """
    if isinstance(value, Interval):
        return value
    try:
        numbers = [float(end) for end in (ends(value) if isinstance(value, str) else [value])]
    except (TypeError, ValueError):
        raise InputError(
            f"{value!r} is neither a number nor a range.",
            fix="Give 20, '20..25', or moldiff.chem.demands.Interval(20, 25).",
        ) from None
    return Interval(numbers[0], numbers[-1])


def demand_line(name: str, interval: Interval) -> str:
    """Return a demand as text that :func:`parse_demand` reads: ``logp <= 3``."""
    if interval.exact:
        return f"{name} = {_number(interval.low)}"
    text = str(interval.plain())
    return f"{name} {text}" if text[0] in "<>" else f"{name} = {text}"


def is_count(name: str) -> bool:
    """Return whether a property has whole values from 0; columns of data are taken as measured."""
    if name in PROPERTIES:
        return PROPERTIES[name].whole
    return name == ATOMS or element_of(name) is not None


def element_of(name: str) -> str | None:
    """Return the symbol of the element that a property counts, as in ``n_Br``; None for others."""
    match = re.fullmatch("n_([A-Z][a-z]?)", name)
    return match[1] if match else None


def compared(name: str, relation: str, *numbers: float) -> Interval:
    """Return the values of a property that are in a relation to a number, or to two.

    Parameters
    ----------
    name:
        The property.
    relation:
        ``=``, ``<``, ``<=``, ``>``, ``>=``, ``..`` (between two numbers), or ``~`` (about: a count
        give or take a tenth of it and 1 at least; a measured number itself).
    numbers:
        One number, two for ``..``.

    Raises
    ------
    InputError
        If no value of the property is in that relation.
    """
    whole, first, last = is_count(name), numbers[0], numbers[-1]
    about = max(1, math.ceil(_ABOUT * first)) if relation == "~" and whole else 0
    low, high = {
        "=": (first, first),
        "~": (first - about, first + about),
        "..": (first, last),
        "<": (-math.inf, math.ceil(first) - 1 if whole else first),
        "<=": (-math.inf, first),
        ">": (math.floor(first) + 1 if whole else first, math.inf),
        ">=": (first, math.inf),
    }[relation]
    if whole:
        if min(numbers) < 0 or (relation in ("=", "~") and first % 1):
            raise InputError(
                f"'{name}' is a count, and cannot be {_number(min(numbers))}.",
                fix="Give a whole number from 0 on.",
            )
        low = math.ceil(low) if low > -math.inf else low
        high = math.floor(high) if high < math.inf else high
        low = max(low, 0) if relation == "~" or high == 0 else low
    if high < max(low, 0 if whole else -math.inf):
        given = " and ".join(_number(number) for number in numbers)
        raise InputError(
            f"No value of '{name}' is {_WORDS[relation]} {given}.",
            fix="Give the smaller bound first, and values between the two."
            if relation == ".."
            else "A count is 0, 1, 2, ...",
        )
    return Interval(low, high)


def parse_demand(text: str) -> tuple[str, Interval]:
    """Read ``NAME=NUMBER``, ``NAME=LOW..HIGH``, ``NAME<NUMBER``, and ``<=``, ``>``, ``>=``.

    ``LOW-HIGH`` is a range, too, here as in all options.

    Raises
    ------
    InputError
        If it is not of this form, or there are no such values.
    """
    match = re.fullmatch(r"\s*([^<>=]*[^<>=\s])\s*(<=|>=|<|>|=)\s*([^<>=]+)", text)
    if match is None:
        raise _refused(text, "it is not one property compared with one value")
    name, relation, value = match.groups()
    try:
        numbers = [float(end) for end in ends(value)]
    except ValueError:
        raise _refused(text, f"'{value.strip()}' is neither a number nor a range") from None
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"'{name}' must be a finite number, not {value.strip()}.")
    between = len(numbers) == 2
    if between and relation != "=":
        raise _refused(text, f"a range goes with '=', not with '{relation}'")
    return name, compared(name, ".." if between else relation, *numbers)


def _refused(text: str, why: str) -> InputError:
    return InputError(
        f"'{text}' is not a condition: {why}.",
        fix="Write it as in --condition logp=1.5, 'logp<3' or tpsa=60..90.",
    )


def _number(value: float) -> str:
    """A number with all its digits, and no more."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(float(value))
