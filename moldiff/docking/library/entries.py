"""The records of a library: each a molecule, or the reason it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem

from moldiff.io import read_molecules

__all__ = ["Entry", "read_library"]


@dataclass(frozen=True, eq=False)
class Entry:
    """One record of a library: position from 0, unique name, molecule or reason for none."""

    index: int
    name: str
    mol: Chem.Mol | None
    reason: str = ""
    notes: tuple[str, ...] = ()


def read_library(path: str | Path) -> list[Entry]:
    """Read a library: any molecule file `moldiff.io` reads, such as a ``.csv`` with SMILES.

    Missing or repeated names are replaced by unique ones, with a note.

    Raises
    ------
    InputError
        If the file is missing, of an unknown kind, empty, or a CSV without SMILES.
    """
    bonded = (record.with_bonds() for record in read_molecules(path))
    return list(_named((record.name, record.mol, record.reason or "") for record in bonded))


def _named(records: Iterable[tuple[str, Chem.Mol | None, str]]) -> Iterator[Entry]:
    """Give every record a unique name of one line."""
    rows: dict[str, int] = {}
    times: Counter[str] = Counter()
    for index, (title, mol, reason) in enumerate(records):
        plain = " ".join(title.split()) or f"ligand-{index + 1}"
        name, notes = plain, tuple[str, ...]()
        while name in rows:
            times[plain] += 1
            name = f"{plain}-{times[plain] + 1}"
            notes = (f"the name '{plain}' is that of row {rows[plain] + 1} too",)
        rows[name] = index
        yield Entry(index, name, mol, reason, notes)
