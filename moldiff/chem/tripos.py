"""MOL2 files by other programs: GAFF atom types, and files of heavy atoms alone.

RDKit reads SYBYL types only, and without hydrogens in the file takes every open valence for a
charge: tyramine becomes a dianion of a dozen radicals.
"""

from __future__ import annotations

import re

from rdkit import Chem

__all__ = ["sybyl", "with_charges_of_types"]

_TYPE = "_TriposAtomType"
_CHARGED = ("O.co2", "C.cat")
# SYBYL types as RDKit knows them: an element, a dot and more; a few have no dot.
_SYBYL = re.compile(r"^([A-Z][a-z]?)(\.\w+)?$")
_TWO_LETTERS = ("cl", "br", "si", "se")


def sybyl(block: list[str]) -> list[str]:
    """Return the lines of a MOL2 record with the atom types of GAFF and Amber as elements."""
    result, atoms = [], False
    for line in block:
        if line.startswith("@<TRIPOS>"):
            atoms = line.startswith("@<TRIPOS>ATOM")
        words = line.split()
        if atoms and len(words) > 5 and not _SYBYL.match(words[5]):
            words[5] = _element(words[5])
            line = " ".join(words)
        result.append(line)
    return result


def _element(kind: str) -> str:
    """The element of an atom type: ``c3``, ``ca`` and ``cl`` are C, C and Cl; ``hc`` is H."""
    letters = re.sub(r"[^A-Za-z]", "", kind) or "Du"
    if letters[:2].lower() in _TWO_LETTERS:
        return letters[:2].capitalize()
    return letters[0].upper()


def with_charges_of_types(mol: Chem.Mol) -> Chem.Mol:
    """Return a copy of a molecule from a MOL2 file without hydrogens that has room for them.

    Charges are those that SYBYL types and bonds say (ammonium, carboxylates, nitro groups); any
    other molecule comes back as it is.
    """
    typed = all(atom.HasProp(_TYPE) for atom in mol.GetAtoms())
    if not typed or any(atom.GetAtomicNum() == 1 for atom in mol.GetAtoms()):
        return mol
    copy = Chem.RWMol(mol)
    for atom in copy.GetAtoms():
        atom.SetNoImplicit(False)
        beside = {n.GetProp(_TYPE) for n in atom.GetNeighbors()}
        kind = atom.GetProp(_TYPE)
        if kind == "N.4":
            atom.SetFormalCharge(1)
        elif kind not in _CHARGED and "C.cat" not in beside:
            atom.SetFormalCharge(0)
    for atom in copy.GetAtoms():
        _nitro(atom)
    return copy.GetMol()


def _nitro(atom: Chem.Atom) -> None:
    """Charge a nitrogen of four bonds, and the oxygen that a single one of them holds."""
    bonds = [(bond, bond.GetOtherAtom(atom)) for bond in atom.GetBonds()]
    valence = sum(bond.GetBondTypeAsDouble() for bond, _ in bonds)
    if atom.GetAtomicNum() != 7 or valence != 4:
        return
    atom.SetFormalCharge(1)
    for bond, other in bonds:
        lone = other.GetAtomicNum() == 8 and other.GetDegree() == 1
        if lone and bond.GetBondType() == Chem.BondType.SINGLE:
            other.SetFormalCharge(-1)
            return
