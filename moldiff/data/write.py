"""Writing a store: all files into a temporary directory, which is then renamed.

A store is never half-written at its path.  Replacing an older one takes two renames; an
error or Ctrl-C between them restores the older one; only a killed process leaves it, complete,
beside the path, as ``.NAME.old.*/store``.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.chem import Encoded, Vocabulary, reason_kind
from moldiff.errors import DataError
from moldiff.text import share

__all__ = [
    "ARRAYS",
    "SCHEMA",
    "SPLITS",
    "Entry",
    "Refused",
    "new_store",
    "sha256",
    "write_store",
]

SCHEMA = 1
SPLITS = ("train", "validation", "test")
ARRAYS: dict[str, npt.DTypeLike] = {
    "positions": np.float32,
    "types": np.int8,
    "charges": np.int8,
    "bonds": np.int8,
    "sizes": np.int16,
    "split": np.int8,
    "source_index": np.int64,
    "properties": np.float64,
}


@dataclass(frozen=True)
class Entry:
    """A molecule to store: its arrays, identity, split (index into SPLITS) and source row."""

    encoded: Encoded
    smiles: str
    split: int
    source_index: int
    properties: tuple[float, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A rejected molecule of the source, and the reason."""

    source_index: int
    name: str
    reason: str


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_store(
    path: Path,
    records: Iterable[Entry],
    vocabulary: Vocabulary,
    source: str,
    rejected: Sequence[Refused],
    properties: Sequence[tuple[str, str]],
    notes: dict[str, Any],
) -> None:
    """Write a store; see `moldiff.data.store.Store.write`."""
    entries = list(records)
    if not entries:
        raise DataError(
            f"There is no molecule to store in {path}.", fix="Look at the reasons of rejection."
        )
    meta = {
        "schema": SCHEMA,
        "count": len(entries),
        "vocabulary": vocabulary.to_dict(),
        "source": source,
        "splits": {
            name: sum(entry.split == k for entry in entries) for k, name in enumerate(SPLITS)
        },
        "rejected": dict(Counter(reason_kind(r.reason) for r in rejected).most_common()),
        "properties": [{"name": name, "unit": unit} for name, unit in properties],
        "notes": notes,
    }
    with new_store(path) as folder:
        _fill(folder, entries, rejected, meta)


@contextmanager
def new_store(path: Path) -> Iterator[Path]:
    """Give a temporary folder for the files of a store, which then moves to its path.

    Raises
    ------
    DataError
        If the path is something other than a store, or cannot be written.
    """
    if path.exists() and not (path / "store.json").is_file():
        raise DataError(
            f"{path} exists and is not a data store.", fix="Choose a path that does not exist yet."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield temporary
            _replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"The data store {path} cannot be written: {error.strerror or error}.",
            fix="Check the free space and the permissions; what was there before is unchanged.",
        ) from error


def _fill(
    folder: Path, entries: list[Entry], rejected: Sequence[Refused], meta: dict[str, Any]
) -> None:
    for name, array in _columns(entries, len(meta["properties"])).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    (folder / "smiles.txt").write_text("".join(f"{e.smiles}\n" for e in entries), encoding="utf-8")
    with (folder / "rejected.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source_index", "name", "reason"])
        writer.writerows([r.source_index, r.name, r.reason] for r in rejected)
    checksums = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    text = json.dumps({**meta, "sha256": checksums}, indent=2)
    (folder / "store.json").write_text(text + "\n", encoding="utf-8")


def _columns(entries: list[Entry], width: int) -> dict[str, np.ndarray]:
    ragged = ("positions", "types", "charges", "bonds")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(e.encoded, name) for e in entries]) for name in ragged
    }
    columns["sizes"] = [len(e.encoded.types) for e in entries]
    columns["split"] = [e.split for e in entries]
    columns["source_index"] = [e.source_index for e in entries]
    if width:
        columns["properties"] = np.array([e.properties for e in entries]).reshape(-1, width)
    return {name: np.asarray(value, dtype=ARRAYS[name]) for name, value in columns.items()}


def _replace(temporary: Path, path: Path) -> None:
    """Move a finished directory to its path, then delete the older store, if any."""
    share(temporary, 0o777)
    if not path.exists():
        os.replace(temporary, path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
    try:
        os.replace(path, old / "store")
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        if not path.exists() and (old / "store").exists():
            os.replace(old / "store", path)
        raise
    finally:
        if path.exists():  # otherwise the older store is the only copy
            shutil.rmtree(old, ignore_errors=True)
