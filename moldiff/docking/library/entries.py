"""The records of a library: each a molecule, or the reason it has none."""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rdkit import Chem

from moldiff.chem.ligand import prepare_ligand
from moldiff.chem.stereo import MAX_ISOMERS, isomers
from moldiff.docking.ligands import identifier, parse_smiles, plain_word
from moldiff.errors import InputError
from moldiff.io import READABLE, read_molecules
from moldiff.io.parse import split_smiles

__all__ = ["Entry", "carried", "enumerated", "read_library"]

_SMILES_COLUMNS = (
    *("smiles", "canonical_smiles", "isomeric_smiles", "cxsmiles", "structure", "smi"),
    *("smiles_string", "rdkit_smiles", "openeye_smiles", "smile"),
)
_TABLES = (".csv", ".tsv", ".tab", ".txt")
_SMILES_FILES = (".smi", ".ism", ".smiles", ".cxsmiles", ".can")

_Record = tuple[str, Chem.Mol | None, str, Mapping[str, str]]


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
    """Read a library: a table (``.csv``, ``.tsv``), SMILES, or any molecule file; also gzipped.

    A table has a header with a column "smiles", and may have one of names ("name" or "id").
    Missing or repeated names are replaced by unique ones, with a note.

    Raises
    ------
    InputError
        If the file is missing, of an unknown kind, empty, or a table without SMILES.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = next((s for s in reversed(suffixes) if s != ".gz"), "")
    if suffix in (*_TABLES, *_SMILES_FILES):
        records = _from_text(path, headed=suffix in _TABLES[:3])
    elif suffix in READABLE:
        records = (
            (r.name or identifier(r.tags), r.mol, r.reason or "", r.tags)
            for r in read_molecules(path)
        )
    else:
        known = dict.fromkeys((*_TABLES[:2], *READABLE, *_SMILES_FILES))
        raise InputError(
            f"The library '{path}' has the unknown suffix '{path.suffix}'.",
            fix=f"Give a file of one of these kinds: {', '.join(known)}.",
        )
    return list(_named(records))


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


def _from_text(path: Path, *, headed: bool) -> Iterator[_Record]:
    """The rows of a table, or of a file of SMILES, which may be headed as well."""
    lines = [line for line in _decoded(path).replace("\0", "").splitlines() if line.strip()]
    if not headed:
        lines = [line for line in lines if not line.lstrip().startswith("#")]
    first = lines[0] if lines else ""
    separator = max(",;\t", key=first.count)
    words = first.split(separator) if separator in first else first.split()
    header = [word.strip().strip('"') for word in words]
    smiles = next((k for k, w in enumerate(header) if plain_word(w) in _SMILES_COLUMNS), None)
    if smiles is None and headed:
        detail = f"its columns are: {', '.join(header)[:200]}" if header else "it is empty"
        raise InputError(
            f"The library {path} has no column 'smiles'; {detail}.",
            fix="Name the column with the SMILES 'smiles' in the first line.",
        )
    if len(lines) <= (smiles is not None):
        raise InputError(f"The library {path} holds no ligands.", fix="Check how it was written.")
    if smiles is None:
        return _headless(lines)
    rows = csv.reader(lines[1:], delimiter=separator) if separator in first else _split(lines[1:])
    return _rows(header, smiles, rows)


def _rows(header: Sequence[str], smiles: int, rows: Iterable[Sequence[str]]) -> Iterator[_Record]:
    for row in rows:
        cells = [row[k].strip() if k < len(row) else "" for k in range(len(header))]
        fields = {name: cell for name, cell in zip(header, cells, strict=True) if name}
        others = {name: cell for name, cell in fields.items() if name != header[smiles]}
        yield identifier(others), *_molecule(cells[smiles]), fields


def _split(lines: Iterable[str]) -> Iterator[list[str]]:
    """Rows between blanks: the SMILES, with its extension, and the words after it."""
    for line in lines:
        smiles, rest = split_smiles(line)
        yield [smiles, *rest.split()]


def _headless(lines: Iterable[str]) -> Iterator[_Record]:
    for line in lines:
        smiles, name = split_smiles(line)
        yield name, *_molecule(smiles), {}


def _molecule(word: str) -> tuple[Chem.Mol | None, str]:
    mol = parse_smiles(word)
    if mol is not None:
        return mol, ""
    return None, f"not a valid SMILES: {word[:60]!a}" if word else "no SMILES in this row"


def _decoded(path: Path) -> str:
    """The text of a file, gzipped or not, in UTF-8, UTF-16 or the Windows code page."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.", fix="Check the path.") from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is a damaged gzip file.", fix="Download it again.") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", fix="Check its permissions."
        ) from error
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _named(records: Iterable[_Record]) -> Iterator[Entry]:
    """Give every record a unique name of one line."""
    rows: dict[str, int] = {}
    times: Counter[str] = Counter()
    for index, (title, mol, reason, fields) in enumerate(records):
        plain = " ".join(title.split()) or f"ligand-{index + 1}"
        name, notes = plain, tuple[str, ...]()
        while name in rows:
            times[plain] += 1
            name = f"{plain}-{times[plain] + 1}"
            notes = (f"the name '{plain}' is that of row {rows[plain] + 1} too",)
        rows[name] = index
        yield Entry(index, name, mol, reason, notes, dict(fields))
