"""Conditions on a molecule, as text: ``mw > 250 & n_Cl >= 1 & (sa < 4 | <gap> > 5)``.

::

    condition    both ("|" both)*             "or" is another word for "|"
    both         single ("&" single)*         "and" for "&"
    single       "!" single | "(" condition ")" | comparison          "not" for "!"
    comparison   mw > 250;  250 < mw <= 500;  rings = 2;  rings != 2;  tpsa = 60..90

A name is a property of `moldiff.chem.properties`, one of its nouns (``mw``, ``hbd``), ``n_`` and an
element, ``atoms`` (hydrogens included) or ``charge``; ``<name>`` is a data field of the file.  What
has no value, such as a field that a record lacks, makes a comparison neither true nor false
(Kleene's logic), and a molecule is rejected unless its condition is true.
"""

from __future__ import annotations

import math
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from rdkit import Chem

from moldiff.chem.demands import ATOMS, compared, element_of
from moldiff.chem.properties import PROPERTIES, Property
from moldiff.chem.words import noun_of, nouns
from moldiff.errors import InputError, did_you_mean

__all__ = ["Condition", "Values", "field_of", "parse_where", "property_of"]

Values = Mapping[str, float | None]
"""Name of a property, or ``<name>`` of a data field -> value; None where there is none."""

_EXAMPLES = "Write conditions such as 'mw>250 & n_Cl>=1 & sa<4', '250 < mw <= 500' or '<gap> > 5'."

#: What conditions compare besides `PROPERTIES`, which a model could be asked for.
_FURTHER = MappingProxyType(
    {
        ATOMS: Property("atoms, hydrogens included", "", lambda mol: mol.GetNumAtoms(False)),
        "charge": Property("formal charge of the whole", "", Chem.GetFormalCharge),
        "n_H": Property("atoms of H", "", lambda mol: mol.GetNumAtoms(False) - mol.GetNumAtoms()),
    }
)
_RELATIONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "=": operator.eq,
        "!=": operator.ne,
    }
)
_SHORT = ("mw", "psa", "hbd", "hba")  # nouns to be proposed for a misspelt name
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SPELLINGS = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!="}

_OR, _AND, _NOT = (re.compile(p, re.I) for p in (r"\|\|?|or\b", r"&&?|and\b", r"!(?!=)|~|not\b"))
_OPEN, _CLOSE, _DOTS = (re.compile(p) for p in (r"\(", r"\)", r"\.\.|-|–"))
_RELATION = re.compile("<=|>=|==|!=|<|>|=|[≤≥≠]")
_NUMBER = re.compile(r"[-+−]?(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:e[-+]?\d+)?", re.I)
_FIELD, _NAME = re.compile("<([^<>]+)>"), re.compile(r"[A-Za-z]\w*")


class Condition(ABC):
    """What is true of a molecule, false, or neither (None)."""

    @abstractmethod
    def names(self) -> frozenset[str]:
        """Return the names of all values that are compared."""

    @abstractmethod
    def holds(self, values: Values) -> bool | None:
        """Return whether the values fulfil it; None if that cannot be said."""

    def parts(self) -> Sequence[Condition]:
        """Return conditions that must all be true for this one to be."""
        return (self,)


@dataclass(frozen=True)
class _Comparison(Condition):
    name: str
    relation: str
    number: float
    wording: str

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def holds(self, values: Values) -> bool | None:
        value = values.get(self.name)
        return None if value is None else _RELATIONS[self.relation](value, self.number)

    def __str__(self) -> str:
        return f"{self.wording} {self.relation} {self.number:g}"


@dataclass(frozen=True)
class _Not(Condition):
    part: Condition

    def names(self) -> frozenset[str]:
        return self.part.names()

    def holds(self, values: Values) -> bool | None:
        held = self.part.holds(values)
        return None if held is None else not held

    def __str__(self) -> str:
        return f"not {self.part}"


@dataclass(frozen=True)
class _Several(Condition):
    """All of them or any of them: ``sought`` is the verdict of a part that decides the whole."""

    members: tuple[Condition, ...]
    sought: bool

    def names(self) -> frozenset[str]:
        return frozenset().union(*(part.names() for part in self.members))

    def holds(self, values: Values) -> bool | None:
        verdicts = [part.holds(values) for part in self.members]
        if self.sought in verdicts:
            return self.sought
        return None if None in verdicts else not self.sought

    def parts(self) -> Sequence[Condition]:
        return (self,) if self.sought else [p for part in self.members for p in part.parts()]

    def __str__(self) -> str:
        text = (" | " if self.sought else " & ").join(map(str, self.members))
        return f"({text})"


def parse_where(text: str) -> Condition:
    """Read a condition, see the module.

    Raises
    ------
    InputError
        If it is not understood, names an unknown property, or can be true of no molecule.
    """
    reader = _Reader(text)
    condition = reader.condition()
    if reader.rest():
        raise reader.refused("nothing can stand there")
    return condition


def property_of(name: str) -> Property:
    """Return a property by the name that a condition has for it."""
    known = PROPERTIES.get(name) or _FURTHER.get(name)
    if known is not None:
        return known
    symbol = element_of(name)
    return Property(
        f"atoms of {symbol}", "", lambda mol: sum(a.GetSymbol() == symbol for a in mol.GetAtoms())
    )


def field_of(name: str) -> str | None:
    """Return the data field that a name such as ``<gap>`` stands for; None for properties."""
    return name[1:-1] if name.startswith("<") else None


class _Reader:
    """Reads a condition from left to right; what ``<`` means depends on the place."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def rest(self) -> str:
        return self.text[self.place :].strip()

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """Return what matches here, and go on behind it."""
        match = re.compile(rf"\s*(?:{pattern.pattern})", pattern.flags).match(self.text, self.place)
        if match is None:
            return None
        self.place = match.end()
        return match.group().strip()

    def refused(self, why: str) -> InputError:
        where = f" before '{self.rest()[:30]}'" if self.rest() else " at its end"
        return InputError(
            f"'{self.text}' is not understood{where}: {why}.",
            fix=_EXAMPLES,
        )

    def condition(self) -> Condition:
        parts = [self.both()]
        while self.take(_OR):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else _Several(tuple(parts), True)

    def both(self) -> Condition:
        parts = [self.single()]
        while self.take(_AND):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else _Several(tuple(parts), False)

    def single(self) -> Condition:
        if self.take(_NOT):
            return _Not(self.single())
        if not self.take(_OPEN):
            return self.comparison()
        inner = self.condition()
        if not self.take(_CLOSE):
            raise self.refused("a bracket is not closed")
        return inner

    def comparison(self) -> Condition:
        operands, relations = [self.operand()], list[str]()
        while relation := self.take(_RELATION):
            relations.append(_SPELLINGS.get(relation, relation))
            operands.append(self.operand())
        if not relations:
            raise self.refused("there is nothing to compare with")
        steps = zip(operands, relations, operands[1:], strict=False)
        parts = tuple(part for step in steps for part in self.compared(*step))
        return parts[0] if len(parts) == 1 else _Several(parts, False)

    def operand(self) -> str | tuple[float, ...]:
        """A name, a number, or two numbers with dots between."""
        if (number := self.take(_NUMBER)) is not None:
            numbers = [number]
            if self.take(_DOTS):
                if (last := self.take(_NUMBER)) is None:
                    raise self.refused("a range stands between two numbers")
                numbers.append(last)
            values = tuple(float(number.replace("−", "-")) for number in numbers)
            if not all(map(math.isfinite, values)):
                raise self.refused(f"{', '.join(numbers)} is too large a number")
            return values
        name = self.take(_FIELD) or self.take(_NAME)
        if name is None:
            raise self.refused("a name or a number is missing")
        return name

    def compared(
        self, left: str | tuple[float, ...], relation: str, right: str | tuple[float, ...]
    ) -> Iterator[Condition]:
        if isinstance(left, tuple):
            left, relation, right = right, _MIRRORED.get(relation, relation), left
        if isinstance(left, tuple) or isinstance(right, str):
            raise self.refused("a comparison is of a name and a number")
        name = left if field_of(left) else _property(left)
        if len(right) == 2 and relation != "=":
            raise self.refused("a range stands with '='")
        _check(name, left, relation, right)
        steps = [(relation, right[0])] if len(right) == 1 else zip((">=", "<="), right, strict=True)
        for how, number in steps:
            yield _Comparison(name, how, number, left)


def _check(name: str, wording: str, relation: str, numbers: Sequence[float]) -> None:
    """Refuse what no molecule can fulfil."""
    measured = name in PROPERTIES and not PROPERTIES[name].whole
    if relation in ("=", "!=") and len(numbers) == 1 and measured:
        number = numbers[0]
        raise InputError(
            f"'{wording} {relation} {number:g}' compares a measured number, which no molecule has "
            "exactly.",
            fix=f"Give an interval: {wording} = {number - 0.1:g}..{number + 0.1:g}.",
        )
    how = ".." if len(numbers) == 2 else relation.replace("!", "")
    compared(name, how, *numbers)


@cache
def _known() -> Mapping[str, str]:
    return nouns(_FURTHER)


def _property(word: str) -> str:
    name = noun_of(word, _known())
    if name is None:
        short = [
            noun for noun in _known() if noun.isalpha() and noun in ("mw", "psa", "hbd", "hba")
        ]
        raise InputError(
            f"There is no property '{word}'.",
            fix=f"{did_you_mean(word, [*PROPERTIES, *_FURTHER, *short])} A data field of the file "
            f"is written <{word}>.",
        )
    return name
