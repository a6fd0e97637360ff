"""What a metric sees of a molecule: elements, coordinates, graph, or why one is lacking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.bonds import infer_bonds
from moldiff.chem.coordinates import is_drawing
from moldiff.io import Record

__all__ = ["Sample", "draw", "samples"]

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

    Bonds are inferred (`moldiff.chem.bonds`) for XYZ files and for files in which no molecule has
    any bond; elsewhere a molecule without bonds is taken at its word.  The total charge is that
    which a record states, or ``net_charge`` (None: any).
    """
    items = [_as_record(item) for item in records]
    bonded = {r.source for r in items if r.mol is not None and r.mol.GetNumBonds() > 0}
    return [_sample(r, r.source not in bonded or r.bondless, net_charge) for r in items]


def _as_record(item: Record | Chem.Mol | None) -> Record:
    if isinstance(item, Record):
        return item
    return Record(item, "", "no molecule" if item is None else None, "", 0)


def _sample(record: Record, infer: bool, charge: int | None) -> Sample:
    mol = record.mol
    if mol is None:
        return Sample(None, (), None, "none", record.reason or "no molecule")
    symbols = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    positions = _positions(mol)
    alone = len(symbols) < 2 and record.charge is None
    if not infer or mol.GetNumBonds() > 0 or alone or positions is None:
        return Sample(mol, symbols, positions, "given")
    graph = infer_bonds(mol, charge if record.charge is None else record.charge)
    if isinstance(graph, str):
        return Sample(None, symbols, positions, "none", graph)
    return Sample(graph, symbols, positions, "inferred")


def _positions(mol: Chem.Mol) -> npt.NDArray[np.float64] | None:
    """(n, 3) coordinates, or None where there are none or they are a flat drawing."""
    if mol.GetNumAtoms() == 0 or mol.GetNumConformers() == 0:
        return np.zeros((0, 3)) if mol.GetNumAtoms() == 0 else None
    positions = np.array(mol.GetConformer().GetPositions(), dtype=np.float64)
    return None if is_drawing(mol) else positions


def draw(items: Sequence[T], size: int | None) -> list[T]:
    """At most ``size`` items, evenly spaced through ``items``; all of them for None."""
    if size is None or size >= len(items):
        return list(items)
    return [items[k * len(items) // size] for k in range(size)]
