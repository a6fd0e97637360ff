"""The records of a library: each a molecule, or the reason it has none."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem

from moldiff.docking.ligands import parse_smiles
from moldiff.errors import InputError
from moldiff.io import READABLE, read_molecules

__all__ = ["Entry", "read_library"]

_SMILES_COLUMNS = ("smiles", "canonical_smiles", "structure", "smi")
_NAME_COLUMNS = ("name", "id", "title", "compound", "molecule", "compound_id", "molecule_id")


@dataclass(frozen=True, eq=False)
class Entry:
    """One record of a library: position from 0, unique name, molecule or reason for none."""

    index: int
    name: str
    mol: Chem.Mol | None
    reason: str = ""
    notes: tuple[str, ...] = ()


def read_library(path: str | Path) -> list[Entry]:
    """Read a library: ``.csv``, or any molecule file `moldiff.io` reads.

    A CSV has a header with a column "smiles", and may have one of names ("name" or "id").
    Missing or repeated names are replaced by unique ones, with a note.

    Raises
    ------
    InputError
        If the file is missing, of an unknown kind, empty, or a CSV without SMILES.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        records = _from_csv(path)
    elif any(suffix.lower() in READABLE for suffix in path.suffixes[-2:]):
        bonded = (record.with_bonds() for record in read_molecules(path))
        records = ((r.name, r.mol, r.reason or "") for r in bonded)
    else:
        raise InputError(
            f"The library '{path}' has the unknown suffix '{path.suffix}'.",
            fix=f"Give a file of one of these kinds: .csv, {', '.join(READABLE)}.",
        )
    return list(_named(records))


def _from_csv(path: Path) -> Iterator[tuple[str, Chem.Mol | None, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.", fix="Check the path.") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", fix="Check its permissions."
        ) from error
    lines = text.replace("\0", "").splitlines()
    first = lines[0] if lines else ""
    separator = max(",;\t", key=first.count)
    rows = csv.reader(lines, delimiter=separator)
    header = [word.strip().lower() for word in next(rows, [])]
    smiles = next((header.index(c) for c in _SMILES_COLUMNS if c in header), None)
    if smiles is None:
        detail = f"its columns are: {', '.join(header)[:200]}" if header else "it is empty"
        raise InputError(
            f"The library {path} has no column 'smiles'; {detail}.",
            fix="Name the column with the SMILES 'smiles' in the first line.",
        )
    name = next((header.index(c) for c in _NAME_COLUMNS if c in header), None)
    count = 0
    for row in rows:
        if len(row) < 2 and not "".join(row).strip():
            continue  # skip blank lines; a line of separators is a row without a SMILES
        count += 1
        title = row[name].strip() if name is not None and name < len(row) else ""
        word = row[smiles].strip() if smiles < len(row) else ""
        mol = parse_smiles(word)
        yield title, mol, "" if mol is not None else _no_smiles(word)
    if not count:
        raise InputError(f"The library {path} holds no ligands.", fix="Check how it was written.")


def _no_smiles(word: str) -> str:
    return f"not a valid SMILES: {word[:60]!a}" if word else "no SMILES in this row"


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
