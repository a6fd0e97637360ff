"""The files of a run's directory beside its checkpoint: the lock, and tables as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moldiff.errors import InputError

__all__ = ["append_csv", "best", "lock_directory"]


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Lock a directory against a second run, on systems with file locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another run is training in '{directory}'.",
                fix="Wait until it ends, or choose another 'output'.",
            ) from None
        yield


def append_csv(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a table; a new table starts with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists() or path.stat().st_size == 0
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def best(path: Path, column: str) -> float:
    """Return the largest value of a column of a table; 0 without values."""
    if not path.exists():
        return 0.0
    with path.open(newline="") as file:
        values = [row.get(column) for row in csv.DictReader(file)]
    return max((float(value) for value in values if value), default=0.0)
