"""Conditions on a molecule, as text: ``mw > 250 & n_Cl >= 1 & (sa < 4 | <gap> > 5)``.

::

    condition    both ("|" both)*             "or" is another word for "|"
    both         single ("&" single)*         "and" for "&"
    single       "!" single | "(" condition ")" | comparison          "not" for "!"
    comparison   mw > 250;  250 < mw <= 500;  rings = 2;  rings != 2;  tpsa = 60..90;
                 <required> = "met";  <hbond> has "ARG611"

A name is a property of `moldiff.chem.properties`, one of its nouns (``mw``, ``hbd``), ``n_`` and an
element, ``atoms`` (hydrogens included) or ``charge``; ``<name>`` is a data field of the file, and a
text in quotes is compared with what is written in it.  What has no value, such as a number that a
record lacks, makes a comparison neither true nor false (Kleene's logic), and a molecule is rejected
unless its condition is true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from rdkit import Chem

from moldiff.chem.conditions import Comparison, Condition, Not, Several, Text
from moldiff.chem.demands import ATOMS, compared, element_of
from moldiff.chem.properties import PROPERTIES, Property
from moldiff.chem.words import noun_of, nouns
from moldiff.errors import InputError, did_you_mean

__all__ = ["field_of", "parse_where", "property_of"]


_EXAMPLES = (
    "Write conditions such as 'mw>250 & n_Cl>=1 & sa<4', '250 < mw <= 500', '<gap> > 5' or "
    "'<hbond> has \"ARG611\"'."
)


def _all_atoms(mol: Chem.Mol) -> int:
    """The number of atoms, implicit hydrogens included."""
    return int(mol.GetNumAtoms(onlyExplicit=False))


#: What conditions compare besides `PROPERTIES`, which a model could be asked for.
_FURTHER = MappingProxyType(
    {
        ATOMS: Property("atoms, hydrogens included", "", _all_atoms),
        "charge": Property("formal charge of the whole", "", Chem.GetFormalCharge),
        "n_H": Property("atoms of H", "", lambda mol: _all_atoms(mol) - mol.GetNumAtoms()),
    }
)
_SHORT = ("mw", "psa", "hbd", "hba")  # nouns to be proposed for a misspelt name
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SPELLINGS = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!="}

_OR, _AND, _NOT = (re.compile(p, re.I) for p in (r"\|\|?|or\b", r"&&?|and\b", r"!(?!=)|~|not\b"))
_OPEN, _CLOSE, _DOTS = (re.compile(p) for p in (r"\(", r"\)", r"\.\.|-|–"))
_RELATION = re.compile("<=|>=|==|!=|<|>|=|[≤≥≠]")
_NUMBER = re.compile(r"[-+−]?(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:e[-+]?\d+)?", re.I)
_TEXT, _HAS = re.compile("\"[^\"]*\"|'[^']*'"), re.compile(r"has\b", re.I)
_FIELD, _NAME = re.compile("<([^<>]+)>"), re.compile(r"[A-Za-z]\w*")


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
        return parts[0] if len(parts) == 1 else Several(tuple(parts), True)

    def both(self) -> Condition:
        parts = [self.single()]
        while self.take(_AND):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else Several(tuple(parts), False)

    def single(self) -> Condition:
        if self.take(_NOT):
            return Not(self.single())
        if not self.take(_OPEN):
            return self.comparison()
        inner = self.condition()
        if not self.take(_CLOSE):
            raise self.refused("a bracket is not closed")
        return inner

    def comparison(self) -> Condition:
        if (text := self.texted()) is not None:
            return text
        operands, relations = [self.operand()], list[str]()
        while relation := self.take(_RELATION):
            relations.append(_SPELLINGS.get(relation, relation))
            operands.append(self.operand())
        if not relations:
            raise self.refused("there is nothing to compare with")
        steps = zip(operands, relations, operands[1:], strict=False)
        parts = tuple(part for step in steps for part in self.compared(*step))
        return parts[0] if len(parts) == 1 else Several(parts, False)

    def texted(self) -> Text | None:
        """A comparison of a data field with a text; None if there is none here."""
        place, name = self.place, self.take(_FIELD)
        relation = name and (self.take(_HAS) or self.take(_RELATION))
        text = relation and self.take(_TEXT)
        if not (name and relation and text):
            if relation and relation.lower() == "has":
                raise self.refused("a text in quotes is missing")
            self.place = place
            return None
        relation = _SPELLINGS.get(relation, relation).lower()
        if relation not in ("=", "!=", "has"):
            raise self.refused("a text is compared by '=', '!=' or 'has'")
        if not text[1:-1].strip():
            raise self.refused("the text is empty")
        return Text(name, relation, text[1:-1])

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
            raise self.refused(
                "a comparison is of a name and a number, or of <field> and a text in quotes"
            )
        name = left if field_of(left) else _property(left)
        if len(right) == 2 and relation != "=":
            raise self.refused("a range stands with '='")
        _check(name, left, relation, right)
        steps = [(relation, right[0])] if len(right) == 1 else zip((">=", "<="), right, strict=True)
        for how, number in steps:
            yield Comparison(name, how, number, left)


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
        short = [noun for noun in _known() if noun in _SHORT]
        raise InputError(
            f"There is no property '{word}'.",
            fix=f"{did_you_mean(word, [*PROPERTIES, *_FURTHER, *short])} A data field of the file "
            f"is written <{word}>.",
        )
    return name
