"""The records of a library: each a molecule, or the reason it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rdkit import Chem

from moldiff.chem.ligand import prepare_ligand
from moldiff.chem.stereo import MAX_ISOMERS, isomers
from moldiff.io import Record, identifier, read_molecules

__all__ = ["Entry", "carried", "enumerated", "read_library"]


@dataclass(frozen=True, eq=False)
class Entry:
    """One ligand of a library.

    Attributes
    ----------
    index, record:
        Its position, from 0, and that of its record in the file: several isomers share one.
    name:
        Unique, on one line.
    mol, reason:
        The molecule, or why there is none.
    notes:
        Remarks for the user.
    fields:
        The columns or data fields that the record has in the file.
    """

    index: int
    name: str
    mol: Chem.Mol | None
    reason: str = ""
    notes: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    record: int = -1

    def __post_init__(self) -> None:
        """Without isomers each record is one entry."""
        if self.record < 0:
            object.__setattr__(self, "record", self.index)


def read_library(path: str | Path) -> list[Entry]:
    """Read a library: any molecule file `moldiff.io` reads, such as a ``.csv`` with SMILES.

    Missing or repeated names are replaced by unique ones, with a note.

    Raises
    ------
    InputError
        If the file is missing, of an unknown kind, empty, or a table without SMILES.
    """
    return list(_named(record.with_bonds() for record in read_molecules(path)))


def carried(fields: Mapping[str, str], ours: Iterable[str]) -> dict[str, str]:
    """Return the fields of a record under names that do not hide ours: ``input_smiles``."""
    taken = {name.lower() for name in ours}
    return {
        f"input_{name}" if name.lower() in taken else name: value for name, value in fields.items()
    }


def enumerated(entries: Iterable[Entry]) -> list[Entry]:
    """Return an entry for each isomer that a molecule leaves open."""
    result: list[Entry] = []
    for entry in entries:
        prepared = "" if entry.mol is None else prepare_ligand(entry.mol)
        forms = [entry.mol] if isinstance(prepared, str) else isomers(prepared.mol)
        if len(forms) < 2 or isinstance(prepared, str):
            result.append(replace(entry, index=len(result)))
            continue
        told = [note for note in prepared.notes if "--enumerate-stereo" not in note]
        if len(forms) == MAX_ISOMERS:
            told.append(f"only {MAX_ISOMERS} isomers are docked")
        for k, form in enumerate(forms, start=1):
            name = f"{entry.name}_isomer{k}"
            notes = (*entry.notes, *told, f"isomer {k} of {len(forms)}")
            result.append(replace(entry, index=len(result), name=name, mol=form, notes=notes))
    return result


def _named(records: Iterable[Record]) -> Iterator[Entry]:
    """Give every record a unique name of one line."""
    rows: dict[str, int] = {}
    times: Counter[str] = Counter()
    for index, record in enumerate(records):
        title = record.name or identifier(record.tags)
        plain = " ".join(title.split()) or f"ligand-{index + 1}"
        name, notes = plain, tuple[str, ...]()
        while name in rows:
            times[plain] += 1
            name = f"{plain}-{times[plain] + 1}"
            notes = (f"the name '{plain}' is that of row {rows[plain] + 1} too",)
        rows[name] = index
        fields = record.cells or record.tags
        yield Entry(index, name, record.mol, record.reason or "", notes, dict(fields))
