"""The files of a run's directory beside its checkpoint: the lock, and tables as CSV."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import InputError
from moldiff.registry import names, registered
from moldiff.text import replace_text

if TYPE_CHECKING:
    from moldiff.diffusion.process import Product

__all__ = ["append_csv", "best", "completed", "fitting_weights", "lock_directory", "table"]


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
    """Append a row to a table; a new table starts with a header.

    A table without some of the row's columns, of an earlier version, gets them with empty values.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    columns, rows = table(path)
    if missing := [name for name in row if name not in columns]:
        columns += missing
        text = io.StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(rows)
        replace_text(path, text.getvalue())
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, columns).writerow(row)


def table(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Return columns and rows of a table; none of a file that does not exist or is empty."""
    if not path.exists():
        return [], []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or ()), list(reader)


def best(path: Path, column: str) -> float:
    """Return the largest value of a column of a table; 0 without values."""
    values = [row.get(column) for row in table(path)[1]]
    return max((float(value) for value in values if value), default=0.0)


def completed(identity: dict[str, Any]) -> dict[str, Any]:
    """Return an identity with the defaults of settings that came after its run began."""
    network = identity.get("network")
    if isinstance(network, dict) and network.get("name") in names("interaction"):
        parameters = inspect.signature(registered("interaction", network["name"])).parameters
        defaults = {k: p.default for k, p in parameters.items() if p.default is not p.empty}
        identity = {**identity, "network": {**defaults, **network}}
    return {"pieces": 1, **identity}


def fitting_weights(objective: dict[str, Any], process: Product | None) -> dict[str, Any]:
    """Return the settings of an objective, with weights only of fields that a model has."""
    if process is not None and "weights" in objective:
        weights = {k: w for k, w in objective["weights"].items() if k in process.processes}
        objective = {**objective, "weights": weights}
    if isinstance(inner := objective.get("objective"), dict):
        objective = {**objective, "objective": fitting_weights(inner, process)}
    return objective
