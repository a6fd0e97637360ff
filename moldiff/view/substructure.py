"""Which molecules contain a SMARTS pattern, and with which atoms: RDKit's answer, for the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rdkit import Chem

from moldiff.chem.validity import sanitised
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.io import Record

__all__ = ["matches", "pattern_of"]

# Those that a drawing keeps for the sake of stereo are counted, too.
_ALL_PLAIN = Chem.RemoveHsParameters()
_ALL_PLAIN.removeDefiningBondStereo = True
_ALL_PLAIN.removeWithWedgedBond = True

_MOST = 200  # matches of a molecule: more than can be told apart in a drawing


def pattern_of(smarts: str) -> Chem.Mol:
    """Return the query of a SMARTS pattern or SMILES.

    Raises
    ------
    InputError
        If it is none, or is empty.
    """
    query = Chem.MolFromSmarts(smarts) if smarts.strip() else None
    if query is None or query.GetNumAtoms() == 0:
        raise InputError(
            f"'{smarts}' is no SMARTS pattern.",
            fix="Give a SMILES or SMARTS, in quotes: 'c1ccncc1', '[NX3;H2]', 'C(=O)N'.",
        )
    return query


def matches(records: Iterable[Record], query: Chem.Mol) -> list[list[list[int]] | None]:
    """The atoms (0-based) of each match in each record; None for what cannot be sanitised.

    Plain hydrogens count as hydrogens of their atoms, as in a molecule from SMILES; stereo in the
    query is not asked for.
    """
    return [None if record.mol is None else _matches(record.mol, query) for record in records]


def _matches(mol: Chem.Mol, query: Chem.Mol) -> list[list[int]] | None:
    sane = sanitised(mol)
    if sane is None:
        return None
    for atom in sane.GetAtoms():
        atom.SetIntProp("_atom", atom.GetIdx())
    bare = Chem.RemoveHs(sane, _ALL_PLAIN)
    places = [atom.GetIntProp("_atom") for atom in bare.GetAtoms()]
    mappings = bare.GetSubstructMatches(query, maxMatches=_MOST)
    return [[places[index] for index in match] for match in mappings]
