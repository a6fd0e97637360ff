"""The finished dockings, and the journal that keeps them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moldiff.errors import InputError
from moldiff.journal import Journal, unwritable
from moldiff.report import document

__all__ = [
    "DOCKED",
    "FAILED",
    "Judged",
    "Row",
    "RowFile",
    "base",
    "earlier",
    "label",
    "plain",
]

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
    distance_score, score, confidence:
        As the method gives them, else None.
    valid:
        Whether PoseBusters passes it; None if it was not asked or could not say.
    failed:
        The checks of PoseBusters that failed.
    evidence:
        What a ranking of ours weighs, by name (`moldiff.docking.judge.evidence`).
    """

    rmsd: float
    energy: float
    fraction: float
    distance_score: float | None = None
    score: float | None = None
    confidence: float | None = None
    valid: bool | None = None
    failed: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)


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
    """The finished rows, by key, and the file that keeps them; see `RowFile.open`."""

    def __init__(self, journal: Journal) -> None:
        self.rows: dict[Key, Row] = {}
        self.damaged = 0
        self._journal = journal
        for _, line in journal.lines():
            row = _row(line)
            if row is None:  # it is docked again
                self.damaged += 1
            else:
                self.rows[row.key] = row

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[RowFile]:
        """Open the file, made if it is not there, for the length of a ``with`` block.

        Raises
        ------
        InputError
            If the file cannot be written, or another process is writing it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        with Journal.open(path) as journal:
            yield cls(journal)

    def append(self, row: Row) -> None:
        """Keep a row for good; a later one of the same key takes its place."""
        self._journal.append(plain(dataclasses.asdict(row)))
        self.rows[row.key] = row


def earlier(folder: Path) -> list[Row]:
    """Return the rows of another comparison, also of an older version; its file stays untouched.

    Raises
    ------
    InputError
        If the folder holds none that can be read.
    """
    path = Path(folder) / "rows.jsonl"
    try:
        rows = [_row(line) for line in path.read_bytes().splitlines()]
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}.",
            fix="Give the folder (-o) of a finished moldiff benchmark docking.",
        ) from error
    known = {row.key: row for row in rows if row is not None}
    if not known:
        raise InputError(f"'{path}' holds no dockings.", fix="Give another folder.")
    return list(known.values())


def _row(line: bytes) -> Row | None:
    try:
        content = json.loads(line)
        poses = content.pop("poses")
        for pose in poses:
            pose.pop("consensus", None)  # of older files
            if "likelihood" in pose:
                pose["distance_score"] = pose.pop("likelihood")
        poses = tuple(
            Judged(**{**pose, "rmsd": _number(pose["rmsd"]), "failed": tuple(pose["failed"])})
            for pose in poses
        )
        return Row(**{**content, "box": tuple(content["box"]), "poses": poses})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _number(value: float | None) -> float:
    return math.inf if value is None else float(value)


def plain(value: Any) -> Any:
    """Return JSON values: numbers to six digits, None for what is not a finite number."""
    return document.plain(value, digits=6)
