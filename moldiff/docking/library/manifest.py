"""The manifest of a batch: a journal with one line per finished ligand.

The first line identifies the batch (input, receptor, box, settings, version); a run that differs
in any of these is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moldiff.errors import ConfigError, InputError
from moldiff.journal import Journal

__all__ = ["DOCKED", "FAILED", "REFUSED", "Manifest", "Row"]

#: Status of a row: it has poses; its ligand cannot be docked; docking failed.
DOCKED, REFUSED, FAILED = "docked", "refused", "failed"

_SCHEMA = "moldiff.docking.manifest 1"
_OPENING = b'{"schema": "moldiff.docking.manifest'  # of any version


@dataclass(frozen=True)
class Row:
    """The outcome for one record of the library.

    Attributes
    ----------
    index:
        Position in the library, from 0.
    name:
        Name, unique within the library.
    status, reason:
        `DOCKED`, `REFUSED` or `FAILED`, and why.
    smiles:
        The ligand as docked.
    energy, confidence, cnn_score, checks:
        Of the best pose: kcal/mol, two probabilities or None, "passed" or the failed checks.
    required, interactions:
        Of the best pose: "met" or what is lacking, empty if nothing was required; its residues by
        kind of interaction.
    cavity:
        The number of the best pose's cavity, where several were searched.
    seconds:
        CPU time.
    notes:
        Further remarks.
    record, fields:
        Position of its record in the library's file, from 0, and the columns it has there.
    sdf:
        SDF records of the poses; empty in memory (see `Manifest.row`).
    """

    index: int
    name: str
    status: str
    reason: str = ""
    smiles: str = ""
    energy: float | None = None
    confidence: float | None = None
    cnn_score: float | None = None
    checks: str = ""
    required: str = ""
    interactions: Mapping[str, str] = field(default_factory=dict)
    cavity: int | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    record: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    sdf: str = ""

    @property
    def lacks(self) -> bool:
        """Whether the best pose lacks a required interaction."""
        return self.required not in ("", "met")

    @property
    def rank(self) -> tuple[bool, float, int, str]:
        """What sorts docked rows, the best first: what was required, then the energy."""
        return self.lacks, self.energy or 0.0, self.record, self.name


class Manifest:
    """The finished rows of a batch, and their file.

    >>> with Manifest.open(path, header) as manifest:  # doctest: +SKIP
    ...     manifest.append(row)

    Parameters
    ----------
    journal:
        The file.
    header:
        Identity of the batch: text by name.  A manifest with another header is refused.
    """

    def __init__(self, journal: Journal, header: Mapping[str, str]) -> None:
        self.path, self.header = journal.path, dict(header)
        self.rows: dict[int, Row] = {}
        self.best: Row | None = None  # of the docked ones
        self._places: dict[int, int] = {}
        self._journal = journal
        self._load()

    @classmethod
    @contextmanager
    def open(cls, path: Path, header: Mapping[str, str]) -> Iterator[Manifest]:
        """Open the manifest, created if missing, for the duration of a ``with`` block.

        Raises
        ------
        ConfigError
            If the file belongs to a batch with other input or settings; the error names them.
        InputError
            If it is not a manifest, cannot be written, or is in use by another process.
        """
        with Journal.open(path) as journal:
            yield cls(journal, header)

    @classmethod
    @contextmanager
    def reopen(cls, path: Path) -> Iterator[Manifest]:
        """Open the manifest of any batch for the duration of a ``with`` block.

        Raises
        ------
        InputError
            If it is not there, is no manifest, or a process is working on it.
        """
        if not path.is_file():
            raise InputError(
                f"There is no manifest '{path}'.",
                fix="Give the .manifest.jsonl files that moldiff dock --shard wrote.",
            )
        with Journal.open(path) as journal:
            try:
                header = dict(json.loads(journal.line(0)))
            except ValueError:
                header = {}
            if header.pop("schema", "") != _SCHEMA:
                raise _foreign(path)
            yield cls(journal, header)

    def append(self, row: Row) -> None:
        """Save a row."""
        self._take(row, self._journal.append(dataclasses.asdict(row)))

    def _take(self, row: Row, place: int) -> None:
        """Remember a row, but for its poses, and its place in the file."""
        bare = dataclasses.replace(row, sdf="")
        self.rows[row.index], self._places[row.index] = bare, place
        if row.status == DOCKED and (self.best is None or row.rank < self.best.rank):
            self.best = bare

    def reload(self) -> None:
        """Read the file again: after Ctrl-C, it may be ahead of memory."""
        self.rows.clear()
        self._places.clear()
        self.best = None
        self._load()

    def row(self, index: int) -> Row:
        """Return a row with its poses, from the file."""
        row = _row(self._journal.line(self._places[index]))
        assert row is not None, "it was read before"
        return row

    def ranked(self) -> Iterator[Row]:
        """Yield the docked rows with their poses, the lowest energy first.

        Rows that lack something required come behind all others.
        """
        docked = [row for row in self.rows.values() if row.status == DOCKED]
        for row in sorted(docked, key=lambda row: row.rank):
            yield self.row(row.index)

    def _load(self) -> None:
        """Read the existing rows; write the header of a new file."""
        first = self._journal.line(0)
        new = not first.endswith(b"\n")  # or torn in its first line
        if not new:
            self._check(first)
        elif not _OPENING.startswith(first[: len(_OPENING)]):
            raise _foreign(self.path)
        for place, line in self._journal.lines():
            row = _row(line)
            if row is not None:  # otherwise a header or a damaged line
                self._take(row, place)
        if new:
            self._journal.append({"schema": _SCHEMA, **self.header})

    def _check(self, line: bytes) -> None:
        try:
            saved = json.loads(line)
        except ValueError:
            saved = None
        if not isinstance(saved, dict) or saved.pop("schema", "") != _SCHEMA:
            raise _foreign(self.path)
        other = [key for key in {**self.header, **saved} if saved.get(key) != self.header.get(key)]
        if other:
            changes = "; ".join(
                f"{key} was {saved.get(key, 'unset')}, is now {self.header.get(key, 'unset')}"
                for key in other
            )
            raise ConfigError(
                f"The batch in '{self.path}' was started with something else: {changes}.",
                fix="Go on with what it was started with, give another --output, or begin "
                "again with --restart.",
            )


def _row(line: bytes) -> Row | None:
    try:
        content = json.loads(line)
        return Row(**{**content, "notes": tuple(content.get("notes", ()))})
    except (ValueError, TypeError, AttributeError):
        return None


def _foreign(path: Path) -> InputError:
    return InputError(
        f"'{path}' is not a manifest of a docking batch.",
        fix="Move it away, or give another --output.",
    )
