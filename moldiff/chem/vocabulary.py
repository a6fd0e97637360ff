"""The classes a molecule is written in: elements, formal charges, bond orders.

Hydrogens are atoms, or folded: then a class is an element with a number of hydrogens, as in CH3,
and a molecule of nine heavy atoms has nine atoms instead of about eighteen.

Bonds are kekulised, or those of aromatic rings have a class of their own: then a ring's bonds agree
when they are all alike, and not when they alternate.  With folded hydrogens the Kekulé structure
follows from the classes, which tell pyrrole's nitrogen from pyridine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rdkit import Chem

from moldiff.errors import ConfigError

__all__ = ["AROMATIC", "BOND_INDEX", "BOND_TYPES", "QM9", "Vocabulary"]

#: RDKit's bond type of each index into `Vocabulary.BONDS`; "none" has none.
BOND_TYPES = (None, Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
#: The inverse: RDKit's bond type -> index into `Vocabulary.BONDS`, which is the order too.
BOND_INDEX = {kind: index for index, kind in enumerate(BOND_TYPES) if kind is not None}
#: Class of aromatic bonds, in a vocabulary that has one.
AROMATIC = len(BOND_TYPES)


@dataclass(frozen=True)
class Vocabulary:
    """Which elements and formal charges exist, in the order of their class indices.

    Parameters
    ----------
    elements:
        Element symbols, at least one; distinct unless hydrogens are folded.
    charges:
        Formal charges (units of e), distinct, 0 among them.
    hydrogens:
        Empty where hydrogens are atoms.  Otherwise the number of hydrogens folded into each
        class: class k is ``elements[k]`` with ``hydrogens[k]`` of them; no element is H.
    aromatic:
        Whether aromatic bonds are a class, the last one.

    Raises
    ------
    ConfigError
        For an empty, repeated or unknown entry.
    """

    elements: tuple[str, ...]
    charges: tuple[int, ...]
    hydrogens: tuple[int, ...] = ()
    aromatic: bool = False

    BONDS: ClassVar[tuple[str, ...]] = ("none", "single", "double", "triple")

    def __post_init__(self) -> None:
        table = Chem.GetPeriodicTable()
        known = {table.GetElementSymbol(z) for z in range(1, 119)}
        unknown = [e for e in self.elements if e not in known]
        kinds = self.kinds
        if unknown or not self.elements or len(set(kinds)) < len(self.elements):
            raise ConfigError(
                f"The vocabulary's elements {list(self.elements)} are not distinct symbols.",
                fix="Give each element once, written as in 'H', 'C', 'Cl'.",
            )
        if 0 not in self.charges or len(set(self.charges)) < len(self.charges):
            raise ConfigError(
                f"The vocabulary's charges {list(self.charges)} are not distinct or lack 0.",
                fix="Give each formal charge once, for example [-1, 0, 1].",
            )

        if self.aromatic and not self.hydrogens:
            raise ConfigError(
                "The vocabulary has aromatic bonds, but no folded hydrogens.",
                fix="Fold them: without, the Kekulé structure of a ring is ambiguous.",
            )
        fitting = "H" not in self.elements and len(self.hydrogens) == len(self.elements)
        if self.hydrogens and not (fitting and min(self.hydrogens) >= 0):
            raise ConfigError(
                f"The vocabulary's hydrogens {list(self.hydrogens)} cannot be folded.",
                fix="Give the number of hydrogens of each element, and leave out the element 'H'.",
            )

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """Element and number of folded hydrogens of each class of ``types``."""
        folded = self.hydrogens or (0,) * len(self.elements)
        return tuple(zip(self.elements, folded, strict=False))

    @property
    def bonds(self) -> tuple[str, ...]:
        """Name of each class of ``bonds``."""
        return (*self.BONDS, "aromatic") if self.aromatic else self.BONDS

    @property
    def explicit(self) -> Vocabulary:
        """The vocabulary of the same molecules with hydrogens as atoms, and kekulised bonds."""
        if not self.hydrogens:
            return self
        return Vocabulary(("H", *dict.fromkeys(self.elements)), self.charges)

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each categorical field."""
        return {
            "types": len(self.elements),
            "charges": len(self.charges),
            "bonds": len(self.bonds),
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, ready for JSON or YAML."""
        plain = {"elements": list(self.elements), "charges": list(self.charges)}
        folded = {"hydrogens": list(self.hydrogens)} if self.hydrogens else {}
        return plain | folded | ({"aromatic": True} if self.aromatic else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Vocabulary:
        """Inverse of `to_dict`; ConfigError if a key is missing or a value has the wrong type."""
        try:
            return cls(
                tuple(str(e) for e in data["elements"]),
                tuple(int(q) for q in data["charges"]),
                tuple(int(h) for h in data.get("hydrogens", ())),
                bool(data.get("aromatic", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"Not a vocabulary: {dict(data)!r}.",
                fix="It needs the keys 'elements' (symbols) and 'charges' (integers).",
            ) from error


QM9 = Vocabulary(("H", "C", "N", "O", "F"), (-1, 0, 1))
