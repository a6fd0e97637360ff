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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from moldiff.chem.graph import ATOM_CLASSES
from moldiff.data.ragged import RaggedStore

__all__ = [
    "DIMENSIONS",
    "FIELDS",
    "Complex",
    "ComplexStore",
    "ShapedStore",
    "Shapes",
    "columns",
    "flattened",
    "shape_of",
]

Shapes = Mapping[str, tuple[Any, tuple[str | int, ...]]]
"""Names of arrays, their types, and their shapes in terms of dimensions named by letters."""

DIMENSIONS = "mnrcsk"
FIELDS: Shapes = MappingProxyType(
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


def shape_of(
    field: str, sizes: npt.ArrayLike, shapes: Shapes = FIELDS, dimensions: str = DIMENSIONS
) -> tuple[int, ...]:
    """Return the shape of a field of a complex with sizes (m, n, r, c, s, k)."""
    lengths = dict(zip(dimensions, np.asarray(sizes).tolist(), strict=True))
    return tuple(lengths[d] if isinstance(d, str) else d for d in shapes[field][1])


class ShapedStore(RaggedStore):
    """A store of entries that have several sizes, which give the shapes of their arrays."""

    SHAPES: ClassVar[Shapes]
    DIMENSIONS: ClassVar[str]
    """The letter of each of an entry's sizes."""

    def starts(self, field: str) -> npt.NDArray[np.int64]:
        sizes = self._arrays["sizes"]
        lengths = dict(zip(self.DIMENSIONS, sizes.T.astype(np.int64), strict=True))
        length = np.ones(len(sizes), np.int64)
        for d in self.SHAPES[field][1]:
            length = length * (lengths[d] if isinstance(d, str) else d)
        return np.concatenate([[0], np.cumsum(length)])

    def values(self, index: int) -> dict[str, np.ndarray]:
        """Return copies of all arrays of one entry, in their shapes."""
        sizes = self.sizes[index]
        return {
            f: self.part(f, index).reshape(shape_of(f, sizes, self.SHAPES, self.DIMENSIONS))
            for f in self.FIELDS
        }


class ComplexStore(ShapedStore):
    """Read access to prepared complexes; `moldiff.data.prepare_complexes` writes them.

    Its sizes are the numbers m, n, r, c, s, k, (N, 6); clusters are of similar pockets, and names
    are ``set/id``.
    """

    SCHEMA = "moldiff-complexes-1"
    NOUN = "complexes"
    COMMAND = "moldiff data complexes FOLDER... --output DIR"
    SHAPES = FIELDS
    FIELDS = tuple(FIELDS)
    DIMENSIONS = DIMENSIONS

    def __getitem__(self, index: int) -> Complex:
        """Return a copy of one complex."""
        return Complex(**self.values(index))


def columns(complexes: Sequence[Complex]) -> dict[str, np.ndarray]:
    """Return the flat arrays of `FIELDS` and ``sizes``."""
    names = [f.name for f in dataclasses.fields(Complex)]
    flat = flattened([{name: getattr(c, name) for name in names} for c in complexes], FIELDS)
    return flat | {"sizes": np.array([c.sizes for c in complexes], dtype=np.int32)}


def flattened(rows: Sequence[Mapping[str, np.ndarray]], shapes: Shapes) -> dict[str, np.ndarray]:
    """Return the arrays of several entries one after the other, flat and of their types."""
    return {
        name: np.concatenate([row[name].ravel() for row in rows]).astype(dtype, copy=False)
        for name, (dtype, _) in shapes.items()
    }
