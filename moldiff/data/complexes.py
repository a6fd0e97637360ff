"""Protein-ligand complexes on disk for training: checksummed, memory-mapped, ragged.

Every array of a complex (`FIELDS`) is flattened and appended to one file of that name; the
numbers of atoms, rotors, conformers and so on of each complex give the start and the shape of its
part.  Opening is cheap, and one complex is a slice per field.

=================  =========  =============================================================
file               shape      content
=================  =========  =============================================================
store.json                    schema, count, splits, rejected, sha256 of every file
FIELD.npy          (total,)   one per row of `FIELDS`
sizes.npy          (N, 6)     the numbers m, n, r, c, s, k of each complex
split.npy          (N,)       0 train, 1 validation
cluster.npy        (N,)       complexes with the same number have similar pockets
names.txt          N lines    ``set/id``
rejected.csv                  name and reason of each rejected complex
=================  =========  =============================================================
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.chem.graph import ATOM_CLASSES
from moldiff.data.write import sha256
from moldiff.errors import DataError

__all__ = ["FIELDS", "SCHEMA", "SPLITS", "Complex", "ComplexStore", "shape_of"]

SCHEMA = "moldiff-complexes-1"
SPLITS = ("train", "validation")
_REBUILD = "Delete the directory and prepare it again: moldiff data complexes."

DIMENSIONS = "mnrcsk"
FIELDS = MappingProxyType(
    {
        # dtype, shape in terms of the dimensions
        "pocket": (np.float32, ("m", 3)),
        "tokens": (np.int16, ("m",)),
        "residue": (np.int16, ("m",)),
        "atoms": (np.int8, ("n", len(ATOM_CLASSES))),
        "pairs": (np.int8, ("n", "n")),
        "crystal": (np.float32, ("n", 3)),
        "axis": (np.int16, ("r", 2)),
        "moves": (np.bool_, ("r", "n")),
        "conformers": (np.float32, ("c", "n", 3)),
        "torsions": (np.float32, ("c", "r")),
        "rotation": (np.float32, ("c", 3, 3)),
        "centre": (np.float32, ("c", 3)),
        "rmsd": (np.float32, ("c",)),
        "symmetry": (np.int16, ("s", "n")),
        "fragments": (np.int64, ("k",)),
    }
)
"""Arrays of a complex: m pocket atoms, n ligand heavy atoms, r rotors, c conformers,
s symmetries of the ligand's graph, k sequence fragments of the pocket."""


@dataclass(frozen=True, eq=False)
class Complex:
    """One protein-ligand complex; shapes are in `FIELDS`.

    Attributes
    ----------
    pocket, tokens, residue:
        Heavy atoms within 12 Å of the ligand: Å, `moldiff.protein.tokens`, residue number.
    atoms, pairs, symmetry:
        The ligand's graph, see `moldiff.chem.graph`.
    crystal:
        The bound ligand, Å.
    axis, moves, conformers:
        Rotors (`moldiff.chem.rotors`) and centred ETKDG conformers, Å.
    torsions, rotation, centre, rmsd:
        The pose of each conformer nearest to the crystal pose, and its RMSD from it, Å.
    fragments:
        Hashes of the pocket's stretches of four residues.
    """

    pocket: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.int16]
    residue: npt.NDArray[np.int16]
    atoms: npt.NDArray[np.int8]
    pairs: npt.NDArray[np.int8]
    crystal: npt.NDArray[np.float32]
    axis: npt.NDArray[np.int16]
    moves: npt.NDArray[np.bool_]
    conformers: npt.NDArray[np.float32]
    torsions: npt.NDArray[np.float32]
    rotation: npt.NDArray[np.float32]
    centre: npt.NDArray[np.float32]
    rmsd: npt.NDArray[np.float32]
    symmetry: npt.NDArray[np.int16]
    fragments: npt.NDArray[np.int64]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers m, n, r, c, s, k."""
        m, n, r = len(self.pocket), len(self.atoms), len(self.axis)
        return m, n, r, len(self.conformers), len(self.symmetry), len(self.fragments)


def shape_of(field: str, sizes: npt.ArrayLike) -> tuple[int, ...]:
    """Return the shape of a field of a complex with sizes (m, n, r, c, s, k)."""
    lengths = dict(zip(DIMENSIONS, np.asarray(sizes).tolist(), strict=True))
    return tuple(lengths[d] if isinstance(d, str) else d for d in FIELDS[field][1])


def _starts(field: str, sizes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the offset of each complex in the flat array of a field, (N + 1,)."""
    lengths = dict(zip(DIMENSIONS, sizes.T.astype(np.int64), strict=True))
    length = np.ones(len(sizes), np.int64)
    for d in FIELDS[field][1]:
        length = length * (lengths[d] if isinstance(d, str) else d)
    return np.concatenate([[0], np.cumsum(length)])


class ComplexStore:
    """Read access to prepared complexes; `moldiff.data.prepare_complexes` writes them."""

    def __init__(self, path: Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.path, self.meta, self._arrays = path, meta, arrays
        self._starts = {name: _starts(name, arrays["sizes"]) for name in FIELDS}

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> ComplexStore:
        """Open a store; with ``verify`` every file is checked against its sha256.

        Raises
        ------
        DataError
            If the directory or a file is missing, truncated, or (``verify``) altered.
        """
        path = Path(path)
        try:
            meta: dict[str, Any] = json.loads((path / "store.json").read_text(encoding="utf-8"))
            if meta.get("schema") != SCHEMA:
                raise DataError(f"{path} holds no complexes of this version.", fix=_REBUILD)
            for name, expected in meta["sha256"].items():
                if verify and sha256(path / name) != expected:
                    raise DataError(f"{path / name} does not match its checksum.", fix=_REBUILD)
            names = (*FIELDS, "sizes", "split", "cluster")
            arrays = {
                name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in names
            }
            store = cls(path, meta, arrays)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"There are no usable complexes in {path}: {error}.", fix=_REBUILD
            ) from error
        short = [f for f in FIELDS if store._starts[f][-1] != len(arrays[f])]
        if short or meta["count"] != len(store):
            raise DataError(f"The complexes in {path} are cut off: {short}.", fix=_REBUILD)
        return store

    @staticmethod
    def at(path: str | Path) -> bool:
        """Return whether a directory is a store of complexes."""
        try:
            meta = json.loads((Path(path) / "store.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(meta, dict) and str(meta.get("schema")).startswith("moldiff-complexes")

    def __len__(self) -> int:
        return len(self._arrays["sizes"])

    def __getitem__(self, index: int) -> Complex:
        """Return a copy of one complex."""
        sizes = self._arrays["sizes"][index]
        values = {
            f: np.array(self._arrays[f][s[index] : s[index + 1]]).reshape(shape_of(f, sizes))
            for f, s in self._starts.items()
        }
        return Complex(**values)

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """(k,) indices of the complexes of "train" or "validation"."""
        if split not in SPLITS:
            raise DataError(f"There is no split '{split}'.", fix=f"Known: {', '.join(SPLITS)}.")
        return np.flatnonzero(self._arrays["split"] == SPLITS.index(split))

    @property
    def sizes(self) -> npt.NDArray[np.int32]:
        """(N, 6) the numbers m, n, r, c, s, k of each complex."""
        return self._arrays["sizes"]

    @property
    def clusters(self) -> npt.NDArray[np.int64]:
        """(N,) number of the cluster of similar pockets."""
        return self._arrays["cluster"]

    @cached_property
    def names(self) -> list[str]:
        """``set/id`` of each complex."""
        return (self.path / "names.txt").read_text(encoding="utf-8").splitlines()


def columns(complexes: list[Complex]) -> dict[str, np.ndarray]:
    """Return the flat arrays of `FIELDS` and ``sizes``."""
    flat = {
        f.name: np.concatenate([getattr(c, f.name).ravel() for c in complexes])
        for f in dataclasses.fields(Complex)
    }
    typed: dict[str, np.ndarray] = {
        name: flat[name].astype(dtype, copy=False) for name, (dtype, _) in FIELDS.items()
    }
    return typed | {"sizes": np.array([c.sizes for c in complexes], dtype=np.int32)}
