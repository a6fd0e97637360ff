"""Writing a store: all files into a temporary directory, which is then renamed.

The files grow by one shard of molecules at a time, so a store may be larger than the memory.  It
is never half-written at its path.  Replacing an older one takes two renames; an
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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.chem import Vocabulary, reason_kind
from moldiff.data.shards import ARRAYS, Shard
from moldiff.errors import DataError
from moldiff.parallel import Progress
from moldiff.text import share

__all__ = ["SCHEMA", "SPLITS", "check_replaceable", "new_store", "sha256", "write_store"]

SCHEMA = 1
SPLITS = ("train", "validation", "test")


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_store(
    path: Path,
    shards: Iterable[Shard],
    *,
    vocabulary: Vocabulary,
    source: str,
    properties: Sequence[tuple[str, str]] = (),
    notes: Mapping[str, Any] | None = None,
    total: int = 0,
    progress: Progress | None = None,
) -> None:
    """Write the molecules of shards as a store; see `moldiff.data.store.Store.write`.

    Parameters
    ----------
    total:
        Number of records of all shards, for ``progress``.
    """
    report = progress or (lambda stage, done, total: None)
    splits, reasons = np.zeros(len(SPLITS), np.int64), Counter[str]()
    done = 0
    with new_store(path) as folder:
        with _Files(folder, len(properties)) as files:
            for shard in shards:
                files.append(shard)
                splits += np.bincount(shard.arrays["split"], minlength=len(SPLITS))
                reasons.update(reason_kind(r.reason) for r in shard.rejected)
                done += shard.records
                report("writing", done, total)
        if not splits.any():
            raise DataError(
                f"There is no molecule to store in {path}.", fix="Look at the reasons of rejection."
            )
        meta = {
            "schema": SCHEMA,
            "count": int(splits.sum()),
            "vocabulary": vocabulary.to_dict(),
            "source": source,
            "splits": dict(zip(SPLITS, splits.tolist(), strict=True)),
            "rejected": dict(reasons.most_common()),
            "properties": [{"name": name, "unit": unit} for name, unit in properties],
            "notes": dict(notes or {}),
            "sha256": {file.name: sha256(file) for file in sorted(folder.iterdir())},
        }
        text = json.dumps(meta, indent=2)
        (folder / "store.json").write_text(text + "\n", encoding="utf-8")


def check_replaceable(path: Path) -> None:
    """Raise ``DataError`` if a path is something other than a store."""
    if path.exists() and not (path / "store.json").is_file():
        raise DataError(
            f"{path} exists and is not a data store.", fix="Choose a path that does not exist yet."
        )


@contextmanager
def new_store(path: Path) -> Iterator[Path]:
    """Give a temporary folder for the files of a store, which then moves to its path.

    Raises
    ------
    DataError
        If the path is something other than a store, or cannot be written.
    """
    check_replaceable(path)
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


class _Files:
    """The files of a store, all but store.json, which grow by shards."""

    def __init__(self, folder: Path, width: int) -> None:
        inner = {"positions": (3,), "properties": (width,)}
        names = [name for name in ARRAYS if width or name != "properties"]
        with ExitStack() as stack:
            self._columns = {
                name: stack.enter_context(
                    _Column(folder / f"{name}.npy", ARRAYS[name], inner.get(name, ()))
                )
                for name in names
            }
            self._smiles = stack.enter_context((folder / "smiles.txt").open("w", encoding="utf-8"))
            table = (folder / "rejected.csv").open("w", newline="", encoding="utf-8")
            self._rejected = csv.writer(stack.enter_context(table), lineterminator="\n")
            self._rejected.writerow(["source_index", "name", "reason"])
            self._stack = stack.pop_all()

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    def append(self, shard: Shard) -> None:
        if shard.smiles:
            for name, column in self._columns.items():
                column.append(shard.arrays[name])
        self._smiles.writelines(f"{smiles}\n" for smiles in shard.smiles)
        self._rejected.writerows([r.source_index, r.name, r.reason] for r in shard.rejected)


class _Column:
    """An array in NumPy's file format that grows along its first axis."""

    def __init__(self, path: Path, dtype: npt.DTypeLike, inner: tuple[int, ...]) -> None:
        self._dtype, self._inner, self._length = np.dtype(dtype), inner, 0
        self._file = path.open("wb")
        self._start = self._head()

    def __enter__(self) -> _Column:
        return self

    def append(self, array: np.ndarray) -> None:
        rows = np.ascontiguousarray(array, self._dtype).reshape(-1, *self._inner)
        self._file.write(rows.data)
        self._length += len(rows)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:  # what has failed is deleted
                self._file.seek(0)
                assert self._head() == self._start, "the header has room for any length"

    def _head(self) -> int:
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self._length, *self._inner),
            },
        )
        return self._file.tell()


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
