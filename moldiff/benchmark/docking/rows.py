"""The file of finished dockings: one JSON line each, safe against any way to die.

A row is appended in one write and synced before it counts as done.  A line torn by ``kill -9``
has no newline and is dropped when the file is opened again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from moldiff.errors import InputError

__all__ = ["DOCKED", "FAILED", "Judged", "Row", "RowFile", "base", "label", "plain"]

DOCKED, FAILED = "docked", "failed"
Key = tuple[str, str, str, int]


def label(method: str, effort: int | None) -> str:
    """``method@effort``: how a method at an effort is called everywhere."""
    return method if effort is None else f"{method}@{effort}"


def base(label: str) -> str:
    """The method alone of a `label`, without its effort and its changes of settings."""
    return label.partition("@")[0].partition("+")[0]


@dataclass(frozen=True)
class Judged:
    """A pose against the crystal.

    Attributes
    ----------
    rmsd:
        Å, heavy atoms, symmetry-corrected, not superposed.
    energy:
        kcal/mol.
    fraction:
        Share of the fast checks passed.
    likelihood, score, confidence:
        As the method gives them, else None.
    valid:
        Whether PoseBusters passes it; None if it was not asked or could not say.
    failed:
        The checks of PoseBusters that failed.
    consensus:
        That of the model's draws with the pose, where there is one.
    """

    rmsd: float
    energy: float
    fraction: float
    likelihood: float | None = None
    score: float | None = None
    confidence: float | None = None
    valid: bool | None = None
    failed: tuple[str, ...] = ()
    consensus: float | None = None


@dataclass(frozen=True)
class Row:
    """A complex docked by a method.

    Attributes
    ----------
    set, id, method, seed:
        What; ``method`` with its effort, as `label` writes it.
    recipe:
        Digest of the settings, weights and versions behind the method.
    status, reason:
        `DOCKED` or `FAILED`, and why; a reason beside `DOCKED` says what was not judged.
    receptor:
        Name of the file.
    box:
        Centre of the search box in Å.
    cofactor:
        Whether a metal or cofactor is near the crystal ligand; None if not known.
    atoms, torsions:
        Heavy atoms and rotors of the ligand.
    proposals:
        Where the first poses came from.
    cpu:
        CPU-seconds in all, preparation included, judging not.
    seconds:
        CPU-seconds by stage; "PoseBusters" is judging and no part of ``cpu``.
    poses:
        Best first.
    """

    set: str
    id: str
    method: str
    seed: int
    recipe: str = ""
    status: str = FAILED
    reason: str = ""
    receptor: str = ""
    box: tuple[float, ...] = ()
    cofactor: bool | None = None
    atoms: int | None = None
    torsions: int | None = None
    proposals: str = ""
    cpu: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    poses: tuple[Judged, ...] = ()

    @property
    def key(self) -> Key:
        """What makes a row one of its kind."""
        return (self.set, self.id, self.method, self.seed)

    @property
    def complex(self) -> str:
        """``set/id``."""
        return f"{self.set}/{self.id}"


class RowFile:
    """The finished rows, by key, and the file that keeps them; a context.

    Raises
    ------
    InputError
        If the file cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.rows: dict[Key, Row] = {}
        self.damaged = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> RowFile:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b")
        except OSError as error:
            raise InputError(
                f"'{self.path}' cannot be written: {error.strerror or error}.",
                fix="Give another --output.",
            ) from error
        _lock(self._file, self.path)
        self._load()
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
        """Keep a row for good; a later one of the same key takes its place."""
        assert self._file is not None
        text = json.dumps(plain(dataclasses.asdict(row)), ensure_ascii=True, allow_nan=False)
        self._file.write(text.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows[row.key] = row

    def _load(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        place = 0
        for line in iter(self._file.readline, b""):
            if not line.endswith(b"\n"):
                self._file.truncate(place)
                break
            place += len(line)
            row = _row(line)
            if row is None:  # it is docked again
                self.damaged += 1
            else:
                self.rows[row.key] = row


def _row(line: bytes) -> Row | None:
    try:
        content = json.loads(line)
        poses = tuple(
            Judged(**{**pose, "rmsd": _number(pose["rmsd"]), "failed": tuple(pose["failed"])})
            for pose in content.pop("poses")
        )
        return Row(**{**content, "box": tuple(content["box"]), "poses": poses})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _number(value: float | None) -> float:
    return math.inf if value is None else float(value)


def plain(value: Any) -> Any:
    """Return JSON values: numbers to six digits, None for what is no finite number."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep a second process away; the system lets go of it however this one ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs on one file are the user's to avoid
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InputError(
            f"Another process is working on '{path}'.",
            fix="Wait for it, or give another --output.",
        ) from error
    except OSError:  # a file system without locks
        return
