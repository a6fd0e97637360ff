"""Digests of a record: of its molecule and of its data fields, to find what was changed later.

They are no signature: whoever changes a record on purpose can compute them anew.
`moldiff.generation.verify` therefore draws a generated molecule again; of a pose it has no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from rdkit import Chem

from moldiff.io.read import Record
from moldiff.io.render import kekulised

__all__ = ["SEAL", "broken", "graph_of", "molecule_digest", "resealed", "sealed"]

SEAL = "digest"
"""The data field with both digests; it covers the fields before it."""


def sealed(mol: Chem.Mol, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags and behind them the digests of the molecule and of these tags.

    Older digests, of what the record was before, are left out.
    """
    fields = {name: text for name, text in tags.items() if name != SEAL}
    return {**fields, SEAL: f"{molecule_digest(mol)} {_fields(fields)}"}


def broken(record: Record) -> str | None:
    """Return what of a sealed record is not what it was ("coordinates or graph"), or None.

    The record is one of an SDF, which has coordinates to 0.0001 Å.
    """
    names = list(record.tags)
    before = {name: record.tags[name] for name in names[: names.index(SEAL)]}
    expected = record.tags[SEAL].split()
    actual = [molecule_digest(record.mol), _fields(before)]
    words = ("coordinates or graph", "data fields")
    changed = [word for word, a, b in zip(words, expected, actual, strict=False) if a != b]
    return " and ".join(changed) or (None if len(expected) == len(actual) else SEAL)


def resealed(record: Record, mol: Chem.Mol, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a record that a command has changed, with digests of what it is now.

    One that was not what it was before stays so, and one without digests gets none.
    """
    return dict(tags) if SEAL not in record.tags or broken(record) else sealed(mol, tags)


def graph_of(mol: Chem.Mol) -> tuple[Any, ...]:
    """Return elements, charges and bonds, to be compared with those of another record."""
    plain = kekulised(mol)
    atoms = [(atom.GetAtomicNum(), atom.GetFormalCharge()) for atom in plain.GetAtoms()]
    bonds = (
        (*sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())), bond.GetBondTypeAsDouble())
        for bond in plain.GetBonds()
    )
    return atoms, sorted(bonds)


def molecule_digest(mol: Chem.Mol) -> str:
    """Return a digest of elements, charges, bonds and coordinates (to 0.0001 Å) in their order."""
    rows = mol.GetConformer().GetPositions() if mol.GetNumConformers() else []
    # As an SDF has them; + 0.0 turns -0.0 into 0.0.
    positions = [[f"{round(float(x), 4) + 0.0:.4f}" for x in row] for row in rows]
    return _digest(repr((graph_of(mol), positions)))


def _fields(tags: Mapping[str, str]) -> str:
    return _digest(repr([(name, " ".join(text.split())) for name, text in tags.items()]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
