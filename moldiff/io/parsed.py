"""What a parser yields, and the molecule that says exactly what was parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rdkit import Chem

from moldiff.chem.vocabulary import BOND_INDEX

__all__ = ["ORDERS", "SYMBOLS", "Parsed", "assemble", "checked"]

#: Bond order -> RDKit's bond type.
ORDERS = {order: kind for kind, order in BOND_INDEX.items()}
#: Element symbol -> atomic number.
SYMBOLS = {Chem.GetPeriodicTable().GetElementSymbol(z): z for z in range(1, 119)}


@dataclass(frozen=True)
class Parsed:
    """A record before it knows its file: a molecule, or None and the reason."""

    mol: Chem.Mol | None
    name: str = ""
    reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def checked(
    mol: Chem.Mol | None, name: str, reason: str, tags: Mapping[str, str] | None = None
) -> Parsed:
    """Refuse what RDKit refused (``reason``), and atoms that are no element."""
    if mol is None:
        return Parsed(None, name, reason, tags or {})
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0:
            return Parsed(None, name, f"unknown element: {_quoted(atom)}", tags or {})
    return Parsed(mol, name, None, tags or {})


def _quoted(atom: Chem.Atom) -> str:
    return f"atom {atom.GetIdx() + 1}, {atom.GetSymbol()[:10]!a}"


def assemble(
    elements: Sequence[int | str],
    positions: Sequence[Sequence[float]] | None,
    charges: Sequence[int] = (),
    bonds: Iterable[Sequence[int]] = (),
) -> Chem.Mol:
    """Build the unsanitised molecule that says exactly this, ``NoImplicit`` on every atom."""
    mol = Chem.RWMol()
    for k, element in enumerate(elements):
        atom = Chem.Atom(element)
        atom.SetNoImplicit(True)
        atom.SetFormalCharge(charges[k] if charges else 0)
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
