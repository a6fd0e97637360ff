"""A data set of molecules on disk: checksummed, memory-mapped, ragged.

One directory holds flat arrays (the atoms of all molecules concatenated, and likewise the
pairs), so opening maps the files, and a batch of molecules of one size takes one indexing operation
per field.

=================  ===========  ==========================================================
file               shape        content
=================  ===========  ==========================================================
store.json                      schema, count, vocabulary, sha256 of every file, source, ...
positions.npy      (A, 3) f4    Å
types.npy          (A,) i1      index into the vocabulary's elements
charges.npy        (A,) i1      index into the vocabulary's charges
bonds.npy          (E,) i1      upper triangles in the order of ``numpy.triu_indices(n, 1)``
sizes.npy          (N,) i2      atoms of each molecule
split.npy          (N,) i1      index into `SPLITS`
source_index.npy   (N,) i8      row in the source
smiles.txt         N lines      canonical SMILES (no stereo)
properties.npy     (N, P) f8    optional; names and units are in store.json
rejected.csv                    source_index, name and reason of each rejected molecule
=================  ===========  ==========================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.chem import Encoded, Vocabulary
from moldiff.data.complexes import ComplexStore
from moldiff.data.shards import ARRAYS, Entry, Refused, Shard, shards_of
from moldiff.data.write import SCHEMA, SPLITS, check_replaceable, sha256, write_store
from moldiff.errors import DataError, MoldiffError

__all__ = ["SPLITS", "Entry", "Refused", "Store", "check_destination"]

_AT_ONCE = 1 << 20  # atoms
_REBUILD = "Delete the directory and prepare it again (for QM9: moldiff data qm9)."


class Store:
    """Read access to a prepared data set, from `Store.open` or `Store.write`."""

    def __init__(self, path: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.path = path
        self.meta = meta
        self.vocabulary = Vocabulary.from_dict(meta["vocabulary"])
        self._arrays = arrays
        sizes = arrays["sizes"].astype(np.int64)
        self._atoms = np.concatenate([[0], np.cumsum(sizes)])
        self._pairs = np.concatenate([[0], np.cumsum(sizes * (sizes - 1) // 2)])

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> Store:
        """Open a store; with ``verify`` every file is checked against its sha256.

        Raises
        ------
        DataError
            If the directory or a file is missing, truncated, inconsistent or (``verify``)
            does not match its checksum, or it holds protein-ligand complexes.
        """
        path = Path(path)
        meta = _read_meta(path)
        for name, expected in meta["sha256"].items():
            if not (path / name).is_file():
                raise DataError(f"The data store {path} lacks the file {name}.", fix=_REBUILD)
            if verify and sha256(path / name) != expected:
                raise DataError(
                    f"{path / name} does not match the checksum in store.json.", fix=_REBUILD
                )
        arrays = {
            name: _map(path / f"{name}.npy") for name in ARRAYS if f"{name}.npy" in meta["sha256"]
        }
        try:
            store = cls(path, meta, arrays)
            store._check_lengths()
        except (KeyError, MoldiffError) as error:
            raise DataError(f"The data store {path} is damaged: {error}", fix=_REBUILD) from error
        return store

    @classmethod
    def write(
        cls,
        path: str | Path,
        records: Iterable[Entry],
        *,
        vocabulary: Vocabulary,
        source: str,
        rejected: Sequence[Refused] = (),
        properties: Sequence[tuple[str, str]] = (),
        notes: dict[str, Any] | None = None,
    ) -> Store:
        """Write a store to a temporary directory, rename it to ``path``, and open it.

        An older store at ``path`` is replaced; it survives errors and Ctrl-C, and a killed process
        at worst leaves it beside ``path`` (see `moldiff.data.write`).

        Parameters
        ----------
        records:
            The molecules, in the order of the store; they are written as they come.
        source:
            The origin of the molecules, in one line.
        rejected:
            The molecules that could not be stored, with reasons.
        properties:
            (name, unit) of each column of ``Entry.properties``.
        notes:
            Further entries of store.json (plain JSON values).

        Raises
        ------
        DataError
            If there is no record, the disk is full, or ``path`` exists and is not a store.
        """
        check_destination(Path(path))
        write_store(
            Path(path),
            chain(shards_of(records), [Shard.of(rejected)]),
            vocabulary=vocabulary,
            source=source,
            properties=properties,
            notes=notes,
        )
        return cls.open(path)

    def __len__(self) -> int:
        return len(self._atoms) - 1

    def __getitem__(self, index: int) -> Encoded:
        """Return molecule ``index`` (negative counts from the end) as a copy."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"molecule {index} of a store of {len(self)}")
        index %= len(self)
        atoms = slice(self._atoms[index], self._atoms[index + 1])
        pairs = slice(self._pairs[index], self._pairs[index + 1])
        return Encoded(
            self._arrays["positions"][atoms].copy(),
            self._arrays["types"][atoms].copy(),
            self._arrays["charges"][atoms].copy(),
            self._arrays["bonds"][pairs].copy(),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the files itself; their content is not pickled.
        return (Store.open, (self.path,))

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """(N,) number of atoms of each molecule."""
        return np.diff(self._atoms)

    @property
    def source_index(self) -> npt.NDArray[np.int64]:
        """(N,) row of each molecule in the source."""
        return self._arrays["source_index"]

    @property
    def split(self) -> npt.NDArray[np.int8]:
        """(N,) split of each molecule, an index into `SPLITS`."""
        return self._arrays["split"]

    @property
    def class_counts(self) -> npt.NDArray[np.int64]:
        """(k,) number of atoms of each class of the vocabulary."""
        counts = np.zeros(len(self.vocabulary.elements), np.int64)
        types = self._arrays["types"]
        for start in range(0, len(types), _AT_ONCE):  # bincount takes eight bytes an atom
            counts += np.bincount(types[start : start + _AT_ONCE], minlength=len(counts))
        return counts

    @property
    def properties(self) -> npt.NDArray[np.float64] | None:
        """(N, P) properties, columns named by `property_names`; None without properties."""
        return self._arrays.get("properties")

    @property
    def property_names(self) -> tuple[str, ...]:
        """Names of the P property columns."""
        return tuple(p["name"] for p in self.meta["properties"])

    @property
    def property_units(self) -> tuple[str, ...]:
        """Units of the P property columns."""
        return tuple(p["unit"] for p in self.meta["properties"])

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """(k,) indices of the molecules of "train", "validation" or "test"."""
        if split not in SPLITS:
            raise DataError(f"There is no split '{split}'.", fix=f"Known: {', '.join(SPLITS)}.")
        return np.flatnonzero(self._arrays["split"] == SPLITS.index(split))

    def smiles(self, index: int) -> str:
        """Return the canonical SMILES of molecule ``index``."""
        return self._smiles[index]

    def gather(self, indices: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Stack b molecules of one size n (e = n(n-1)/2) into dense arrays.

        Returns
        -------
        dict
            positions (b, n, 3) float32 Å; types (b, n), charges (b, n), bonds (b, e) int64.

        Raises
        ------
        DataError
            If the molecules differ in size, or there are none.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        first, last = self._atoms[chosen], self._atoms[chosen + 1]
        n = int(last[0] - first[0]) if len(chosen) else 0
        if n == 0 or not np.array_equal(last - first, np.full(len(chosen), n)):
            raise DataError(
                "gather was given molecules of different sizes, or none.",
                fix="Choose indices with equal store.sizes.",
            )
        atoms = first[:, None] + np.arange(n)
        pairs = self._pairs[chosen][:, None] + np.arange(n * (n - 1) // 2)
        return {
            "positions": self._arrays["positions"][atoms],
            "types": self._arrays["types"][atoms].astype(np.int64),
            "charges": self._arrays["charges"][atoms].astype(np.int64),
            "bonds": self._arrays["bonds"][pairs].astype(np.int64),
        }

    @cached_property
    def _smiles(self) -> list[str]:
        return (self.path / "smiles.txt").read_text(encoding="utf-8").splitlines()

    def _check_lengths(self) -> None:
        count, atoms, pairs = self.meta["count"], self._atoms[-1], self._pairs[-1]
        expected = {"positions": atoms, "types": atoms, "charges": atoms, "bonds": pairs}
        for name, array in self._arrays.items():
            if len(array) != expected.get(name, count):
                raise DataError(
                    f"{name}.npy has {len(array)} rows, {expected.get(name, count)} expected."
                )


def check_destination(path: Path) -> None:
    """Raise ``DataError`` if a store cannot be written to a path without loss of something else."""
    if ComplexStore.at(path):
        raise DataError(
            f"{path} holds protein-ligand complexes.",
            fix="Choose a path that does not exist yet.",
        )
    check_replaceable(path)


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise DataError(
            f"There is no data store at {path}.",
            fix="Check the path, or prepare it first (for QM9: moldiff data qm9).",
        )
    if ComplexStore.at(path):
        raise DataError(
            f"{path} holds protein-ligand complexes, not molecules.",
            fix="Give a data set of molecules.",
        )
    try:
        meta = json.loads((path / "store.json").read_text(encoding="utf-8"))
        schema = meta["schema"]
        _ = meta["count"], meta["sha256"].items(), meta["vocabulary"], meta["properties"]
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is not a data store: it has no store.json.", fix="Check the path."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path / 'store.json'} cannot be read: {error}.", fix=_REBUILD) from error
    if schema != SCHEMA:
        raise DataError(
            f"The data store {path} has schema {schema}, this version reads {SCHEMA}.", fix=_REBUILD
        )
    return dict(meta)


def _map(path: Path) -> np.ndarray:
    try:
        # A plain view: indexing through the memmap subclass costs more in the training loop.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is truncated or not an array: {error}.", fix=_REBUILD) from error
