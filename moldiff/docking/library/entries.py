"""The records of a library: each a molecule, or the reason it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rdkit import Chem

from moldiff.chem.stereo import MAX_ISOMERS
from moldiff.docking.forms import forms_of
from moldiff.errors import InputError
from moldiff.io import Record, identifier, read_molecules
from moldiff.io.seal import SEAL
from moldiff.text import counted

__all__ = ["Entry", "carried", "enumerated", "named", "part_of", "read_library", "shard_of"]


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
    records = (record.with_bonds() for record in read_molecules(path))
    return list(named((_entry(k, record) for k, record in enumerate(records)), "ligand"))


def named(entries: Iterable[Entry], default: str) -> Iterator[Entry]:
    """Give every entry a name of its own, on one line; one that is changed is noted.

    An entry without any is called by ``default`` and its number, from 1.
    """
    rows: dict[str, int] = {}
    times: Counter[str] = Counter()
    for entry in entries:
        plain = " ".join(entry.name.split()) or f"{default}-{entry.index + 1}"
        name, notes = plain, entry.notes
        while name in rows:
            times[plain] += 1
            name = f"{plain}-{times[plain] + 1}"
            same = f"the name '{plain}' is that of row {rows[plain] + 1} too"
            notes = (*entry.notes, same)
        rows[name] = entry.index
        yield replace(entry, name=name, notes=notes)


def carried(fields: Mapping[str, str], ours: Iterable[str]) -> dict[str, str]:
    """Return the fields of a record under names that do not hide ours: ``input_smiles``.

    So is its digest, ``input_digest``: a pose has other coordinates.
    """
    taken = {SEAL, *(name.lower() for name in ours)}
    return {
        f"input_{name}" if name.lower() in taken else name: value for name, value in fields.items()
    }


def enumerated(entries: Iterable[Entry], *, stereo: bool = True, tautomers: int = 1) -> list[Entry]:
    """Return an entry for each isomer that a molecule leaves open, and for each tautomer."""
    result: list[Entry] = []
    for entry in entries:
        if entry.mol is None:
            result.append(replace(entry, index=len(result)))
            continue
        variants = forms_of(entry.mol, stereo=stereo, tautomers_at_most=tautomers)
        shared = list(variants.notes)
        if variants.capped:
            shared.append(f"only {MAX_ISOMERS} isomers are docked")
        for form in variants.forms:
            notes = (*entry.notes, *shared, *([form.note] if form.note else []))
            name = f"{entry.name}{form.label}"
            result.append(replace(entry, index=len(result), name=name, mol=form.mol, notes=notes))
    return result


def shard_of(text: str) -> tuple[int, int]:
    """Parse ``i/n``; raise InputError for anything else."""
    first, slash, count = text.partition("/")
    if not (slash and first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
        raise InputError(
            f"--shard {text} is not a part of a library.",
            fix="Write --shard 1/4 for the first of four parts, up to --shard 4/4.",
        )
    return int(first), int(count)


def part_of(entries: list[Entry], shard: tuple[int, int] | None, path: Path) -> list[Entry]:
    """Return all entries, or of a shard (i, n) every n-th record from the i-th, for parts alike.

    Raises
    ------
    InputError
        There is none.
    """
    if shard is None:
        return entries
    first, count = shard
    part = [entry for entry in entries if entry.record % count == first - 1]
    if not part:
        raise InputError(
            f"{path} has {counted(len(entries), 'record')}, none for part {first} of {count}.",
            fix="Divide it into fewer parts.",
        )
    return [replace(entry, index=index) for index, entry in enumerate(part)]


def _entry(index: int, record: Record) -> Entry:
    """The entry of a record of a file, as it is named there."""
    name = record.name or identifier(record.tags)
    fields = dict(record.cells or record.tags)
    return Entry(index, name, record.mol, record.reason or "", fields=fields)
