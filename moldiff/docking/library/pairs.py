"""Tables of pairs: a receptor and a ligand in each row, maybe with a pocket of its own."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.docking.library.entries import Entry, named
from moldiff.docking.ligands import read_ligand
from moldiff.docking.site import site
from moldiff.docking.where import Where
from moldiff.errors import InputError, MoldiffError
from moldiff.text import digest_of

if TYPE_CHECKING:
    from moldiff.docking.problem import Pocket
    from moldiff.docking.site import Site

__all__ = ["Pairs"]

_NEEDED = ("receptor", "ligand")
_PLACES = ("pocket_ligand", "center", "residues", "autobox")
_TRUE = ("1", "true", "yes", "x")


class Pairs:
    """The rows of a table, and the pocket of each, which is prepared when its row is docked.

    Parameters
    ----------
    path:
        A ``.csv`` or ``.tsv`` with the columns ``receptor`` and ``ligand`` (a file or SMILES) and,
        where a row has them, ``name``, ``pocket_ligand``, ``center``, ``residues``, ``autobox``
        and ``size``.  Files are sought beside the table.
    where:
        The pocket of rows that name none; None looks for it.
    choice:
        The same of all receptors: ``exclude``, ``keep``, ``waters``, ``assembly``, ``model``.
    cavities:
        How many to look into, at most, where the pocket is looked for.

    Raises
    ------
    InputError
        The table cannot be read, or lacks a column.
    """

    def __init__(
        self,
        path: Path,
        where: Where | None = None,
        choice: Mapping[str, Any] | None = None,
        *,
        cavities: int = 1,
    ) -> None:
        self.path, self.where, self.choice = path, where, dict(choice or {})
        self.cavities = cavities
        self.rows = _read(path)
        self.entries = list(named((self._entry(k, row) for k, row in enumerate(self.rows)), "pair"))
        self._latest: tuple[object, Site | MoldiffError] | None = None

    @property
    def digest(self) -> str:
        """Twelve characters that identify the receptors' files."""
        files = sorted({self._file(row["receptor"]) for row in self.rows})
        known = [digest_of(file) if file.is_file() else "" for file in files]
        return hashlib.sha256(" ".join(known).encode()).hexdigest()[:12]

    def place_of(self, entry: Entry) -> tuple[Entry, Pocket]:
        """Return an entry, with the notes on its receptor, and its pocket.

        Raises
        ------
        MoldiffError
            There is no such pocket.
        """
        row = self.rows[entry.record]
        where = self._where(row)
        key = (row["receptor"], where)
        if self._latest is None or self._latest[0] != key:  # rows of one pocket follow each other
            outcome: Site | MoldiffError
            try:
                file = self._file(row["receptor"])
                cavities = self.cavities if where.autobox else 1
                outcome = site(file, where, **self.choice, cavities=cavities)
            except MoldiffError as error:
                outcome = error
            self._latest = (key, outcome)
        outcome = self._latest[1]
        if isinstance(outcome, MoldiffError):
            raise outcome
        return replace(entry, notes=(*entry.notes, *outcome.notes)), outcome.pocket

    def _file(self, text: str) -> Path:
        """A file beside the table, or else wherever it says."""
        beside = self.path.parent / text
        return beside if text and beside.is_file() else Path(text)

    def _where(self, row: Mapping[str, str]) -> Where:
        own: dict[str, Any] = {key: row[key] for key in _PLACES if row.get(key)}
        size = row.get("size") or (self.where.size if self.where else None)
        if "autobox" in own:
            own["autobox"] = own["autobox"].lower() in _TRUE
        if not any(own.values()):
            return replace(self.where or Where(autobox=True), size=size)
        ligand = own.pop("pocket_ligand", None)
        if ligand is not None:
            file = self._file(ligand)
            own["ligand"] = str(file) if file.is_file() else ligand
        return Where(**own, size=size)

    def _entry(self, index: int, row: Mapping[str, str]) -> Entry:
        """The ligand of a row, or why there is none, under the name of the row or its file."""
        own = row.get("name", "")
        fields = {key: value for key, value in row.items() if value}
        try:
            self._where(row)
            file = self._file(row["ligand"])
            mol, name = read_ligand(file if file.is_file() else row["ligand"])
        except MoldiffError as error:
            return Entry(index, own, None, _plain(error), fields=fields)
        name = own or ("" if name == "ligand" else f"{name}-{index + 1}")
        return Entry(index, name, mol, fields=fields)


def _plain(error: MoldiffError) -> str:
    return " ".join(error.line.split())


def _read(path: Path) -> Sequence[dict[str, str]]:
    """The rows of a table by the names of its columns, in small letters."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The table of pairs {path} cannot be read: {error}.",
            fix="Give a .csv with the columns receptor and ligand.",
        ) from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    # A quoted cell may have lines, so what is split into rows is the text.
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [(name or "").strip().lower().replace("-", "_") for name in reader.fieldnames or []]
    absent = [name for name in _NEEDED if name not in names]
    if absent:
        raise InputError(
            f"The table of pairs {path} has no column {' and no column '.join(absent)}; it has: "
            f"{', '.join(filter(None, names)) or 'none'}.",
            fix="Name the columns receptor and ligand in its first line.",
        )
    reader.fieldnames = names
    rows = [{k: (v or "").strip() for k, v in row.items() if isinstance(v, str)} for row in reader]
    rows = [{**dict.fromkeys(_NEEDED, ""), **row} for row in rows if any(row.values())]
    if not rows:
        raise InputError(f"The table of pairs {path} has no rows.", fix="Give at least one pair.")
    return rows
