"""Some thousands of molecules between a source and a store: `Shard`.

A store is written from shards, one in memory at a time.  Those of a long preparation are files
(`moldiff.data.preparation`).
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.chem import Encoded
from moldiff.errors import DataError

__all__ = ["ARRAYS", "SIZE", "Entry", "Refused", "Shard", "shards_of"]

SIZE = 1000
"""Records of a shard."""

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
_RAGGED = ("positions", "types", "charges", "bonds")


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


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive records of a source: the columns of those to store, and those rejected.

    Attributes
    ----------
    arrays:
        `ARRAYS` of the molecules; without ``properties`` if there are no molecules.
    smiles:
        Of each molecule.
    rejected:
        The others.
    notes:
        What else is known of the records (plain JSON values).
    """

    arrays: Mapping[str, np.ndarray]
    smiles: Sequence[str]
    rejected: Sequence[Refused]
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, results: Iterable[Entry | Refused], notes: Mapping[str, Any] | None = None
    ) -> Shard:
        """Return the shard of some records."""
        entries, rejected = list[Entry](), list[Refused]()
        for result in results:
            if isinstance(result, Entry):
                entries.append(result)
            else:
                rejected.append(result)
        columns: dict[str, Any] = {
            "sizes": [len(e.encoded.types) for e in entries],
            "split": [e.split for e in entries],
            "source_index": [e.source_index for e in entries],
        }
        if entries:
            for name in _RAGGED:
                columns[name] = np.concatenate([getattr(e.encoded, name) for e in entries])
            columns["properties"] = np.array([e.properties for e in entries])
        arrays = {name: np.asarray(value, ARRAYS[name]) for name, value in columns.items()}
        return cls(arrays, [e.smiles for e in entries], rejected, notes or {})

    @property
    def records(self) -> int:
        """Number of records."""
        return len(self.smiles) + len(self.rejected)

    def save(self, path: Path) -> None:
        """Write a file that appears complete or not at all; ``OSError`` if that fails."""
        text = {
            "smiles": list(self.smiles),
            "rejected": [[r.source_index, r.name, r.reason] for r in self.rejected],
            "notes": dict(self.notes),
        }
        arrays = {**self.arrays, "text": np.frombuffer(json.dumps(text).encode(), np.uint8)}
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            # Compressed: the table of bonds is nearly all zeros.
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())  # the rename must not overtake the data
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path, *, arrays: bool = True) -> Shard:
        """Read what `save` wrote, without the ``arrays`` if they are not needed.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                text = json.loads(file["text"].tobytes())
                names = [name for name in file.files if arrays and name != "text"]
                columns = {name: file[name] for name in names}
                rejected = [Refused(*row) for row in text["rejected"]]
                return cls(columns, text["smiles"], rejected, text["notes"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                f"{path} cannot be read: {error}.",
                fix=f"Delete {path.parent}, and prepare the data again.",
            ) from error


def shards_of(results: Iterable[Entry | Refused], size: int = SIZE) -> Iterator[Shard]:
    """Divide records into shards."""
    waiting = iter(results)
    while part := list(islice(waiting, size)):
        yield Shard.of(part)
