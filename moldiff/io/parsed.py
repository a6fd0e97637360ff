"""What a parser yields, and the molecule that says exactly what was parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rdkit import Chem

from moldiff.chem.bonds import infer_bonds
from moldiff.chem.vocabulary import BOND_INDEX

__all__ = ["ORDERS", "SYMBOLS", "Parsed", "assemble", "checked", "stated_charge", "without_dummies"]

#: Bond order -> RDKit's bond type.
ORDERS = {order: kind for kind, order in BOND_INDEX.items()}
#: Element symbol -> atomic number.
SYMBOLS = {Chem.GetPeriodicTable().GetElementSymbol(z): z for z in range(1, 119)}


_CHARGE = re.compile(r"[+-]?\d{1,3}")


@dataclass(frozen=True)
class Parsed:
    """A record before it knows its file: a molecule, or None and the reason.

    ``cells`` are all columns of a table's row, with those of the SMILES and the name.
    """

    mol: Chem.Mol | None
    name: str = ""
    reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)

    def with_bonds(self, charge: int | None = 0) -> Parsed:
        """Infer the bonds of a molecule without any; without a molecule where that fails.

        ``charge`` is that of the whole molecule (None: any), unless the tags state another.
        """
        if self.mol is None or self.mol.GetNumBonds():
            return self
        stated = stated_charge(self.tags)
        graph = infer_bonds(self.mol, charge if stated is None else stated)
        if isinstance(graph, str):
            return replace(self, mol=None, reason=graph)
        return replace(self, mol=graph)


def stated_charge(tags: Mapping[str, str]) -> int | None:
    """The total charge that a record's tags state (units of e); None without one."""
    text = tags.get("charge", "").strip()
    return int(text) if _CHARGE.fullmatch(text) else None


def checked(
    mol: Chem.Mol | None, name: str, reason: str, tags: Mapping[str, str] | None = None
) -> Parsed:
    """Refuse what RDKit refused (``reason``)."""
    return Parsed(mol, name, reason if mol is None else None, tags or {})


def without_dummies(parsed: Parsed) -> Parsed:
    """Refuse a molecule with atoms that are no element."""
    for atom in parsed.mol.GetAtoms() if parsed.mol is not None else ():
        if atom.GetAtomicNum() == 0:
            return replace(parsed, mol=None, reason=f"unknown element: {_quoted(atom)}")
    return parsed


def _quoted(atom: Chem.Atom) -> str:
    return f"atom {atom.GetIdx() + 1}, {atom.GetSymbol()[:10]!a}"


def assemble(
    elements: Sequence[int | str],
    positions: Sequence[Sequence[float]] | None,
    charges: Sequence[int] = (),
    bonds: Iterable[Sequence[int]] = (),
    isotopes: Sequence[int] = (),
) -> Chem.Mol:
    """Build the unsanitised molecule that says exactly this, ``NoImplicit`` on every atom.

    ``isotopes`` are mass numbers, 0 where the composition is natural.
    """
    mol = Chem.RWMol()
    for k, element in enumerate(elements):
        atom = Chem.Atom(element)
        atom.SetNoImplicit(True)
        atom.SetFormalCharge(charges[k] if charges else 0)
        atom.SetIsotope(isotopes[k] if isotopes else 0)
        mol.AddAtom(atom)
    for i, j, order in bonds:
        mol.AddBond(i, j, ORDERS[order])
    if positions is not None:
        conformer = Chem.Conformer(len(elements))
        conformer.Set3D(True)
        for k, position in enumerate(positions):
            conformer.SetAtomPosition(k, tuple(position))
        mol.AddConformer(conformer, assignId=True)
    return mol.GetMol()
