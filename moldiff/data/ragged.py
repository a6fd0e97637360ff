"""Stores of entries that differ in size: one flat array for each field, memory-mapped, checksummed.

``store.json`` has the schema, the count and the sha256 of every file; ``sizes.npy``, ``split.npy``
and ``cluster.npy`` have a row for each entry, ``names.txt`` a line; the other arrays hold the parts
of all entries one after the other.
"""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from moldiff.data.write import new_store, sha256
from moldiff.errors import DataError

__all__ = ["SPLITS", "RaggedStore"]

SPLITS = ("train", "validation")


class RaggedStore(ABC):
    """Prepared entries of one kind: read access, and `write`."""

    SCHEMA: ClassVar[str]
    """Kind and version, as in "moldiff-complexes-1"."""
    NOUN: ClassVar[str]
    """Plural of what an entry is."""
    COMMAND: ClassVar[str]
    """Prepares a store."""
    FIELDS: ClassVar[tuple[str, ...]]
    """Names of the flat arrays."""

    def __init__(self, path: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.path, self.meta, self._arrays = path, meta, arrays
        self._starts = {name: self.starts(name) for name in self.FIELDS}

    @abstractmethod
    def starts(self, field: str) -> npt.NDArray[np.int64]:
        """Return the offset of each entry in the flat array of a field, (N + 1,)."""

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> Self:
        """Open a store; with ``verify`` every file is checked against its sha256.

        Raises
        ------
        DataError
            If the directory or a file is missing, truncated, or (``verify``) altered.
        """
        path, fix = Path(path), f"Delete it and prepare it again: {cls.COMMAND}."
        if not (path / "store.json").is_file():
            raise DataError(f"There are no {cls.NOUN} in {path}.", fix=f"Prepare: {cls.COMMAND}.")
        try:
            meta: dict[str, Any] = json.loads((path / "store.json").read_text(encoding="utf-8"))
            if isinstance(meta, dict) and "schema" in meta and not cls.at(path):
                other = f"{path} holds no {cls.NOUN}, but {meta['schema']}."
                raise DataError(other, fix=f"Give another directory, or: {cls.COMMAND}.")
            if not isinstance(meta, dict) or meta.get("schema") != cls.SCHEMA:
                raise DataError(f"{path} holds no {cls.NOUN} of this version.", fix=fix)
            for name, expected in meta["sha256"].items():
                if verify and sha256(path / name) != expected:
                    raise DataError(f"{path / name} does not match its checksum.", fix=fix)
            arrays = {
                name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in (*cls.FIELDS, "sizes", "split", "cluster")
            }
            store = cls(path, meta, arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = "a file of it is cut off, or of another format"
            if isinstance(error, OSError):
                why = f"{Path(str(error.filename)).name}: {error.strerror}"
            reason = f"There are no usable {cls.NOUN} in {path}: {why}."
            raise DataError(reason, fix=fix) from error
        short = [f for f in cls.FIELDS if store._starts[f][-1] != len(arrays[f])]
        if short or meta["count"] != len(store):
            raise DataError(f"The {cls.NOUN} in {path} are cut off: {short}.", fix=fix)
        return store

    @classmethod
    def write(
        cls,
        path: Path,
        arrays: Mapping[str, np.ndarray],
        names: Sequence[str],
        rejected: Sequence[tuple[str, str]],
        *,
        source: str,
        **more: Any,
    ) -> None:
        """Write a store, whole or not at all.

        Parameters
        ----------
        arrays:
            The fields, and ``sizes``, ``split`` and ``cluster``.
        names:
            Name of each entry.
        rejected:
            Names and reasons of those that were left out.
        source, more:
            What they were made of, and what else ``store.json`` has.

        Raises
        ------
        DataError
            If the path is something other than a store, or cannot be written.
        """
        meta = {
            "schema": cls.SCHEMA,
            "count": len(names),
            "source": source,
            "splits": {name: int((arrays["split"] == k).sum()) for k, name in enumerate(SPLITS)},
            "clusters": len(np.unique(arrays["cluster"])),
            "rejected": dict(Counter(reason for _, reason in rejected).most_common()),
            **more,
        }
        with new_store(path) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
            lines = "".join(f"{name}\n" for name in names)
            (folder / "names.txt").write_text(lines, encoding="utf-8")
            with (folder / "rejected.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("name", "reason"), *rejected])
            meta["sha256"] = {file.name: sha256(file) for file in sorted(folder.iterdir())}
            text = json.dumps(meta, indent=2)
            (folder / "store.json").write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def at(cls, path: str | Path) -> bool:
        """Return whether a directory is a store of this kind, of any version."""
        try:
            meta = json.loads((Path(path) / "store.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        kind = cls.SCHEMA.rpartition("-")[0]
        return isinstance(meta, dict) and str(meta.get("schema")).startswith(kind)

    def lacks(self, what: str) -> DataError:
        """Return the error that it holds no such entry: "chain to train on"."""
        return DataError(f"{self.path} holds no {what}.", fix=f"Prepare more: {self.COMMAND}.")

    def __len__(self) -> int:
        return len(self._arrays["sizes"])

    def part(self, field: str, index: int) -> npt.NDArray[Any]:
        """Return a copy of one entry's part of a field, flat as it is stored."""
        first, last = self._starts[field][index : index + 2]
        return np.array(self._arrays[field][first:last])

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """(k,) indices of the entries of "train" or "validation"."""
        if split not in SPLITS:
            raise DataError(f"There is no split '{split}'.", fix=f"Known: {', '.join(SPLITS)}.")
        return np.flatnonzero(self._arrays["split"] == SPLITS.index(split))

    @property
    def sizes(self) -> npt.NDArray[np.int32]:
        """Sizes of each entry, (N,) or (N, several)."""
        return self._arrays["sizes"]

    @property
    def clusters(self) -> npt.NDArray[np.int64]:
        """(N,) number of each entry's cluster; those with the same number are alike."""
        return self._arrays["cluster"]

    @cached_property
    def names(self) -> list[str]:
        """Name of each entry."""
        return (self.path / "names.txt").read_text(encoding="utf-8").splitlines()
