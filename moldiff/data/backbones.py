"""Protein backbones on disk for training: checksummed, memory-mapped, ragged.

=================  ============  ===========================================================
file               shape         content
=================  ============  ===========================================================
store.json                       schema, count, splits, rejected, sha256 of every file
atoms.npy          (R, 4, 3) i2  N, CA, C and O of all residues, in hundredths of an Å
types.npy          (R,) i1       amino acids, see `moldiff.protein.backbone`
regular.npy        (R,) ?        whether a residue is part of a helix or a strand
sizes.npy          (N,) i4       residues of each chain
split.npy          (N,) i1       index into `SPLITS`
cluster.npy        (N,) i8       chains with the same number are alike
names.txt          N lines
rejected.csv                     name and reason of each rejected chain
=================  ============  ===========================================================
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.data.write import new_store, sha256
from moldiff.errors import DataError
from moldiff.protein.backbone import Backbone

__all__ = ["SPLITS", "UNIT", "BackboneStore"]

SCHEMA = "moldiff-backbones-1"
SPLITS = ("train", "validation")
UNIT = 0.01  # Å
_ARRAYS = ("atoms", "types", "regular", "sizes", "split", "cluster")
_REBUILD = "Prepare them: moldiff data backbones FILE... --output DIR --force."


class BackboneStore:
    """Read access to prepared backbones; `moldiff.data.prepare_backbones` writes them."""

    def __init__(self, path: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.path, self.meta, self._arrays = path, meta, arrays
        self._starts = np.concatenate([[0], np.cumsum(arrays["sizes"], dtype=np.int64)])

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> BackboneStore:
        """Open a store; with ``verify`` every file is checked against its sha256.

        Raises
        ------
        DataError
            If the directory or a file is missing, truncated, or (``verify``) altered.
        """
        path = Path(path)
        if not (path / "store.json").is_file():
            raise DataError(
                f"There are no backbones in {path}.",
                fix="Prepare them: moldiff data backbones FILE... --output DIR.",
            )
        try:
            meta: dict[str, Any] = json.loads((path / "store.json").read_text(encoding="utf-8"))
            if not isinstance(meta, dict) or meta.get("schema") != SCHEMA:
                raise DataError(f"{path} holds no backbones of this version.", fix=_REBUILD)
            for name, expected in meta["sha256"].items():
                if verify and sha256(path / name) != expected:
                    raise DataError(f"{path / name} does not match its checksum.", fix=_REBUILD)
            arrays = {
                name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in _ARRAYS
            }
            store = cls(path, meta, arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            told = "a file of it is cut off, or of another format"
            if isinstance(error, OSError):
                told = f"{Path(str(error.filename)).name}: {error.strerror}"
            raise DataError(
                f"There are no usable backbones in {path}: {told}.", fix=_REBUILD
            ) from error
        if store._starts[-1] != len(arrays["atoms"]) or meta["count"] != len(store):
            raise DataError(f"The backbones in {path} are cut off.", fix=_REBUILD)
        return store

    @staticmethod
    def at(path: str | Path) -> bool:
        """Return whether a directory is a store of backbones."""
        try:
            meta = json.loads((Path(path) / "store.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(meta, dict) and str(meta.get("schema")).startswith("moldiff-backbones")

    def __len__(self) -> int:
        return len(self._arrays["sizes"])

    def __getitem__(self, index: int) -> Backbone:
        """Return a copy of one chain."""
        part = slice(self._starts[index], self._starts[index + 1])
        return Backbone(
            np.float32(UNIT) * self._arrays["atoms"][part].astype(np.float32),
            np.array(self._arrays["types"][part]),
            np.array(self._arrays["regular"][part]),
        )

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """(k,) indices of the chains of "train" or "validation"."""
        if split not in SPLITS:
            raise DataError(f"There is no split '{split}'.", fix=f"Known: {', '.join(SPLITS)}.")
        return np.flatnonzero(self._arrays["split"] == SPLITS.index(split))

    @property
    def sizes(self) -> npt.NDArray[np.int32]:
        """(N,) residues of each chain."""
        return self._arrays["sizes"]

    @property
    def clusters(self) -> npt.NDArray[np.int64]:
        """(N,) number of the cluster of each chain."""
        return self._arrays["cluster"]

    @cached_property
    def names(self) -> list[str]:
        """Name of each chain."""
        return (self.path / "names.txt").read_text(encoding="utf-8").splitlines()


def write(
    path: Path,
    chains: Sequence[tuple[str, Backbone]],
    rejected: Sequence[tuple[str, str]],
    *,
    clusters: npt.NDArray[np.int64],
    split: npt.NDArray[np.int8],
    source: str,
) -> None:
    """Write named chains, with their clusters and splits, as a store.

    ``rejected`` has the names and reasons of those that were left out.
    """
    atoms = np.concatenate([c.atoms - c.atoms.mean((0, 1)) for _, c in chains])
    arrays = {
        "atoms": np.rint(atoms / UNIT).astype(np.int16),
        "types": np.concatenate([c.types for _, c in chains]),
        "regular": np.concatenate([c.regular for _, c in chains]),
        "sizes": np.array([len(c) for _, c in chains], np.int32),
        "split": split,
        "cluster": clusters,
    }
    meta = {
        "schema": SCHEMA,
        "count": len(chains),
        "source": source,
        "splits": {name: int((split == k).sum()) for k, name in enumerate(SPLITS)},
        "clusters": len(np.unique(clusters)),
        "rejected": dict(Counter(reason for _, reason in rejected).most_common()),
    }
    with new_store(path) as folder:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        names = "".join(f"{name}\n" for name, _ in chains)
        (folder / "names.txt").write_text(names, encoding="utf-8")
        with (folder / "rejected.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("name", "reason"), *rejected])
        meta["sha256"] = {file.name: sha256(file) for file in sorted(folder.iterdir())}
        (folder / "store.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
