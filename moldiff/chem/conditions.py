"""What is true of a molecule, false, or neither: comparisons, and what they are joined to.

Kleene's logic: a comparison with what has no value is neither true nor false, and what is joined of
conditions is so only where that value would decide.  `moldiff.chem.where` reads them from text.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from moldiff.text import means_residue

__all__ = ["Comparison", "Condition", "Not", "Several", "Text", "Texts", "Values"]

Values = Mapping[str, float | None]
"""Name of a property, or ``<name>`` of a data field -> value; None where there is none."""

Texts = Mapping[str, str]
"""``<name>`` of a data field -> what is written in it."""

NO_TEXTS: Texts = MappingProxyType({})

RELATIONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "=": operator.eq,
        "!=": operator.ne,
    }
)


#: A residue in a data field: chain, name, number with its code of insertion.
_RESIDUE = re.compile(r"(?<!\w)(\w+):(\w*?[^\W\d])(-?\d+[a-z]?)(?!\w)")


class Condition(ABC):
    """What is true of a molecule, false, or neither (None)."""

    @abstractmethod
    def names(self) -> frozenset[str]:
        """Return the names of all values that are compared."""

    @abstractmethod
    def holds(self, values: Values, texts: Texts = NO_TEXTS) -> bool | None:
        """Return whether the values fulfil it; None if that cannot be said."""

    def worded(self) -> frozenset[str]:
        """Return the names of the data fields whose text is compared."""
        return frozenset()

    def wanted(self) -> tuple[Text, ...]:
        """Return the comparisons that look for a text in data fields, but those of a `Not`."""
        return ()

    def parts(self) -> Sequence[Condition]:
        """Return conditions that must all be true for this one to be."""
        return (self,)


@dataclass(frozen=True)
class Comparison(Condition):
    """Of a value and a number."""

    name: str
    relation: str
    number: float
    wording: str

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def holds(self, values: Values, texts: Texts = NO_TEXTS) -> bool | None:
        value = values.get(self.name)
        return None if value is None else RELATIONS[self.relation](value, self.number)

    def __str__(self) -> str:
        return f"{self.wording} {self.relation} {self.number:g}"


@dataclass(frozen=True)
class Text(Condition):
    """Of a data field and a text, whatever the case of their letters.

    ``=`` and ``!=`` are of the whole field; ``has`` is true where the text stands in it by itself:
    ``GLN57`` is not in ``A:GLN570``, but ``GLN570`` and ``A:GLN570`` are, and so is the residue by
    its number, ``A:570``.  A record that lacks the field has an empty one: docking writes no
    ``hbond`` where there is none.
    """

    name: str
    relation: str
    text: str

    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def worded(self) -> frozenset[str]:
        return self.names()

    def holds(self, values: Values, texts: Texts = NO_TEXTS) -> bool | None:
        field, text = texts.get(self.name, "").strip().casefold(), self.text.strip().casefold()
        if self.relation == "has":
            alone = re.search(rf"(?<!\w){re.escape(text)}(?!\w)", field) is not None
            residues = _RESIDUE.findall(field) if ":" in text and not alone else ()
            return alone or any(means_residue(text, *residue) for residue in residues)
        return (field == text) == (self.relation == "=")

    def wanted(self) -> tuple[Text, ...]:
        return () if self.relation == "!=" else (self,)

    def candidates(self, field: str) -> Sequence[str]:
        """Return the texts in a data field that could have been meant."""
        return re.findall(r"[^\s,;]+", field) if self.relation == "has" else (field.strip(),)

    def __str__(self) -> str:
        quote = "'" if '"' in self.text else '"'
        return f"{self.name} {self.relation} {quote}{self.text}{quote}"


@dataclass(frozen=True)
class Not(Condition):
    """True where a condition is false."""

    part: Condition

    def names(self) -> frozenset[str]:
        return self.part.names()

    def worded(self) -> frozenset[str]:
        return self.part.worded()

    def holds(self, values: Values, texts: Texts = NO_TEXTS) -> bool | None:
        held = self.part.holds(values, texts)
        return None if held is None else not held

    def __str__(self) -> str:
        return f"not {self.part}"


@dataclass(frozen=True)
class Several(Condition):
    """All of them or any of them: ``sought`` is the verdict of a part that decides the whole."""

    members: tuple[Condition, ...]
    sought: bool

    def names(self) -> frozenset[str]:
        return frozenset().union(*(part.names() for part in self.members))

    def worded(self) -> frozenset[str]:
        return frozenset().union(*(part.worded() for part in self.members))

    def holds(self, values: Values, texts: Texts = NO_TEXTS) -> bool | None:
        verdicts = [part.holds(values, texts) for part in self.members]
        if self.sought in verdicts:
            return self.sought
        return None if None in verdicts else not self.sought

    def wanted(self) -> tuple[Text, ...]:
        return tuple(text for part in self.members for text in part.wanted())

    def parts(self) -> Sequence[Condition]:
        return (self,) if self.sought else [p for part in self.members for p in part.parts()]

    def __str__(self) -> str:
        text = (" | " if self.sought else " & ").join(map(str, self.members))
        return f"({text})"
