"""What a metric sees of a molecule: elements, coordinates, graph, or why one is lacking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds

from moldiff.chem.coordinates import is_drawing
from moldiff.chem.quiet import quiet
from moldiff.io import Record

__all__ = ["Sample", "draw", "samples"]

# Bond orders of a hopeless geometry are a combinatorial search; real molecules need a few dozen.
_MAX_ITERATIONS = 5000
_ALL_PROPERTIES = int(
    Chem.PropertyPickleOptions.AllProps | Chem.PropertyPickleOptions.CoordsAsDouble
)

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One molecule under evaluation; treated as read-only by everybody.

    Attributes
    ----------
    mol:
        The molecule with its graph; None if there is no molecule or no graph.
    symbols:
        (n,) element symbols.
    positions:
        (n, 3) Å; None without three-dimensional coordinates.
    bonds:
        Where the graph comes from: "given", "inferred" from the coordinates, or "none".
    reason:
        Why ``mol`` is None; None otherwise.
    """

    mol: Chem.Mol | None
    symbols: tuple[str, ...]
    positions: npt.NDArray[np.float64] | None
    bonds: str
    reason: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # RDKit pickles coordinates in single precision unless asked: a parallel run would
        # differ from a serial one.
        binary = None if self.mol is None else self.mol.ToBinary(_ALL_PROPERTIES)
        return _restore, (binary, self.symbols, self.positions, self.bonds, self.reason)


def _restore(
    binary: bytes | None,
    symbols: tuple[str, ...],
    positions: npt.NDArray[np.float64] | None,
    bonds: str,
    reason: str | None,
) -> Sample:
    mol = None if binary is None else Chem.Mol(binary)
    return Sample(mol, symbols, positions, bonds, reason)


def samples(
    records: Iterable[Record | Chem.Mol | None], *, net_charge: int | None = 0
) -> list[Sample]:
    """Prepare records or molecules for the metrics; the input is not changed.

    Bonds are inferred (RDKit's `rdDetermineBonds`, J. H. Jensen's xyz2mol) with the total
    charge ``net_charge`` (None: 0) for XYZ files and for files in which no molecule has any
    bond; elsewhere a molecule without bonds is taken at its word.
    """
    items = [_as_record(item) for item in records]
    bonded = {r.source for r in items if r.mol is not None and r.mol.GetNumBonds() > 0}
    return [_sample(r, r.source not in bonded or _is_xyz(r.source), net_charge or 0) for r in items]


def _as_record(item: Record | Chem.Mol | None) -> Record:
    if isinstance(item, Record):
        return item
    return Record(item, "", "no molecule" if item is None else None, "", 0)


def _is_xyz(source: str) -> bool:
    return ".xyz" in [suffix.lower() for suffix in Path(source).suffixes[-2:]]


def _sample(record: Record, infer: bool, charge: int) -> Sample:
    mol = record.mol
    if mol is None:
        return Sample(None, (), None, "none", record.reason or "no molecule")
    symbols = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    positions = _positions(mol)
    if not infer or mol.GetNumBonds() > 0 or len(symbols) < 2 or positions is None:
        return Sample(mol, symbols, positions, "given")
    return _inferred(mol, symbols, positions, charge)


def _positions(mol: Chem.Mol) -> npt.NDArray[np.float64] | None:
    """(n, 3) coordinates, or None where there are none or they are a flat drawing."""
    if mol.GetNumAtoms() == 0 or mol.GetNumConformers() == 0:
        return np.zeros((0, 3)) if mol.GetNumAtoms() == 0 else None
    positions = np.array(mol.GetConformer().GetPositions(), dtype=np.float64)
    return None if is_drawing(mol) else positions


def _inferred(
    mol: Chem.Mol, symbols: tuple[str, ...], positions: npt.NDArray[np.float64], charge: int
) -> Sample:
    if not np.isfinite(positions).all():
        return Sample(None, symbols, positions, "none", "non-finite coordinates")
    copy = Chem.RWMol(mol)
    try:
        with quiet():
            rdDetermineBonds.DetermineBonds(
                copy, charge=charge, embedChiral=False, maxIterations=_MAX_ITERATIONS
            )
            Chem.Kekulize(copy, clearAromaticFlags=True)
    except (ValueError, RuntimeError):
        return Sample(None, symbols, positions, "none", "bonds cannot be inferred")
    for atom in copy.GetAtoms():
        atom.SetNoImplicit(True)
    return Sample(copy.GetMol(), symbols, positions, "inferred")


def draw(items: Sequence[T], size: int | None) -> list[T]:
    """At most ``size`` items, evenly spaced through ``items``; all of them for None."""
    if size is None or size >= len(items):
        return list(items)
    return [items[k * len(items) // size] for k in range(size)]
