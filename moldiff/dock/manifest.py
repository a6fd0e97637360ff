"""The manifest of a batch: one JSON line per finished ligand, safe against any way to die.

The first line says what the batch is (input, receptor, box, settings, version); a run that
differs in any of it is refused.  A row is appended in one write and synced before it counts
as done, so ``kill -9`` or a power cut costs at most the ligands that were being docked: a
line torn by it has no newline and is dropped when the manifest is opened again.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from moldiff.errors import ConfigError, InputError

__all__ = ["DOCKED", "FAILED", "REFUSED", "Manifest", "Row"]

#: Status of a row: it has poses; its ligand cannot be docked; docking it went wrong.
DOCKED, REFUSED, FAILED = "docked", "refused", "failed"

_SCHEMA = "moldiff.docking.manifest 1"


@dataclass(frozen=True)
class Row:
    """What became of one record of the library.

    Attributes
    ----------
    index:
        Position in the library, from 0.
    name:
        Its name, made unique within the library.
    status, reason:
        `DOCKED`, `REFUSED` or `FAILED`, and why.
    smiles:
        As it was docked.
    energy, confidence, checks:
        Of the best pose: kcal/mol, probability or None, "passed" or what failed.
    seconds:
        CPU time.
    notes:
        What is worth knowing besides.
    sdf:
        The records of the poses; not kept in memory (see `Manifest.row`).
    """

    index: int
    name: str
    status: str
    reason: str = ""
    smiles: str = ""
    energy: float | None = None
    confidence: float | None = None
    checks: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    sdf: str = ""


class Manifest:
    """The rows of a batch that are done, and the file that keeps them.

    >>> with Manifest(path, header) as manifest:  # doctest: +SKIP
    ...     manifest.append(row)

    Parameters
    ----------
    path:
        The file; made if it is not there.
    header:
        What the batch is: words by name.  A manifest whose header differs is refused.

    Raises
    ------
    ConfigError
        If the file belongs to a batch with other input or settings; it names them.
    InputError
        If it is no manifest, cannot be written, or is in use by another process.
    """

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        self.path, self.header = path, dict(header)
        self.rows: dict[int, Row] = {}
        self._places: dict[int, int] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Manifest:
        try:
            self._file = open(self.path, "a+b")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            _lock(self._file, self.path)
            self._load()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        self._file.close()

    def append(self, row: Row) -> None:
        """Keep a row for good."""
        self._places[row.index] = self._write(dataclasses.asdict(row))
        self.rows[row.index] = dataclasses.replace(row, sdf="")

    def reload(self) -> None:
        """Read the file again: after Ctrl-C, which may fall between the file and memory."""
        assert self._file is not None
        self._file.flush()
        self.rows.clear()
        self._places.clear()
        self._load()

    def row(self, index: int) -> Row:
        """Return a row with its poses, from the file."""
        assert self._file is not None
        self._file.seek(self._places[index])
        row = _row(self._file.readline())
        assert row is not None, "it was read before"
        return row

    def ranked(self) -> Iterator[Row]:
        """Yield the docked rows with their poses, the lowest energy first."""
        docked = [row for row in self.rows.values() if row.status == DOCKED]
        for row in sorted(docked, key=lambda row: (row.energy or 0.0, row.index)):
            yield self.row(row.index)

    def _write(self, content: Mapping[str, Any]) -> int:
        assert self._file is not None
        line = json.dumps(content, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        place = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:  # a full disk: half a line would spoil the next one
            os.truncate(self.path, place)
            raise _unwritable(self.path, error) from error
        return place

    def _load(self) -> None:
        """Read what is there; drop a torn last line; write the header of a new file."""
        assert self._file is not None
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):  # new, or torn in its first line
            if first and not b'{"schema": "moldiff.docking.manifest'.startswith(first[:36]):
                raise _foreign(self.path)
            self._file.truncate(0)
            self._write({"schema": _SCHEMA, **self.header})
            return
        self._check(first)
        place = self._file.tell()
        for line in iter(self._file.readline, b""):
            if not line.endswith(b"\n"):
                self._file.truncate(place)
                break
            row = _row(line)
            if row is not None:  # a damaged line is a ligand to dock again
                self.rows[row.index] = dataclasses.replace(row, sdf="")
                self._places[row.index] = place
            place += len(line)

    def _check(self, line: bytes) -> None:
        try:
            known = json.loads(line)
        except ValueError:
            known = None
        if not isinstance(known, dict) or known.pop("schema", "") != _SCHEMA:
            raise _foreign(self.path)
        other = [key for key in {**self.header, **known} if known.get(key) != self.header.get(key)]
        if other:
            told = "; ".join(
                f"{key} was {known.get(key, 'unset')}, is now {self.header.get(key, 'unset')}"
                for key in other
            )
            raise ConfigError(
                f"The batch in '{self.path}' was started with something else: {told}.",
                fix="Go on with what it was started with, give another --output, or begin "
                "again with --restart.",
            )


def _row(line: bytes) -> Row | None:
    try:
        content = json.loads(line)
        return Row(**{**content, "notes": tuple(content.get("notes", ()))})
    except (ValueError, TypeError, AttributeError):
        return None


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep a second process away; the system lets go of it however this one ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs on one manifest are the user's to avoid
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"Another process is working on the batch in '{path}'.",
            fix="Wait for it, or give another --output.",
        ) from error
    except OSError:  # a file system without locks
        return


def _foreign(path: Path) -> InputError:
    return InputError(
        f"'{path}' is no manifest of a docking batch.",
        fix="Move it away, or give another --output.",
    )


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"'{path}' cannot be written: {error.strerror or error}.",
        fix="Choose a folder that exists, is writable and has space left.",
    )
