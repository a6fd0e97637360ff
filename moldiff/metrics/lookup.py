"""Protocol A: bonds looked up from distances.

E. Hoogeboom et al., "Equivariant diffusion for molecule generation in 3D", ICML 2022 (EDM),
and after it GeoLDM, EquiFM, UniGEM and others.  Only elements and coordinates count; bonds
and charges the file may hold are ignored.  Two atoms are bonded where their distance is below
the table's length plus a margin, with the largest order that fits.  An atom is stable if its
orders sum exactly to its valence (H 1, C 4, N 3, O 2, F 1, and those of EDM's further elements,
among them P, S, Cl, Br and I; no charges).  A molecule is valid
if RDKit sanitises it, implicit hydrogens allowed; its identity is the SMILES of its largest
fragment.  To molecules of other elements the protocol does not apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.vocabulary import BOND_TYPES
from moldiff.metrics.identities import Identities, Identity
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample

__all__ = ["VALENCES", "Looked", "Lookup", "bond_orders", "look_up", "measure"]

#: EDM's valences: they define the metric. Sulfur's is four, so that thiols are not stable.
VALENCES: dict[str, tuple[int, ...]] = {
    "H": (1,), "C": (4,), "N": (3,), "O": (2,), "F": (1,), "B": (3,), "Si": (4,), "P": (3, 5),
    "S": (4,), "Cl": (1,), "As": (3,), "Br": (1,), "I": (1,),
}  # fmt: skip
ELEMENTS = tuple(VALENCES)

# EDM's lengths in pm; single, double, triple. A pair that is not here is never bonded. Double bonds
# of C and S, of which EDM knows one direction only, count in both.
_LENGTHS: dict[str, tuple[int, ...]] = {
    "H-H": (74,), "H-C": (109,), "H-N": (101,), "H-O": (96,), "H-F": (92,),
    "C-C": (154, 134, 120), "C-N": (147, 129, 116), "C-O": (143, 120, 113), "C-F": (135,),
    "N-N": (145, 125, 110), "N-O": (140, 121), "N-F": (136,),
    "O-O": (148, 121), "O-F": (142,), "F-F": (142,),
    "H-B": (119,), "H-Si": (148,), "H-P": (144,), "H-S": (134,), "H-Cl": (127,), "H-As": (152,),
    "H-Br": (141,), "H-I": (161,),
    "C-Si": (185,), "C-P": (184,), "C-S": (182, 160), "C-Cl": (177,), "C-Br": (194,),
    "C-I": (214,),
    "N-P": (177,), "N-S": (168,), "N-Cl": (175,), "N-Br": (214,), "N-I": (222,),
    "O-Si": (163,), "O-P": (163, 150), "O-S": (151,), "O-Cl": (164,), "O-Br": (172,),
    "O-I": (194,),
    "F-Si": (160,), "F-P": (156,), "F-S": (158,), "F-Cl": (166,), "F-Br": (178,), "F-I": (187,),
    "B-Cl": (175,), "Si-Si": (233,), "Si-S": (200,), "Si-Cl": (202,), "Si-Br": (215,),
    "Si-I": (243,), "P-P": (221,), "P-S": (210, 186), "P-Cl": (203,), "P-Br": (222,),
    "S-S": (204,), "S-Cl": (207,), "S-Br": (225,), "S-I": (234,), "Cl-Cl": (199,),
    "Cl-Br": (214,), "Br-Br": (228,), "I-I": (266,),
}  # fmt: skip
_MARGINS = (10, 5, 3)


def _thresholds() -> npt.NDArray[np.float64]:
    """(3, k + 1, k + 1) largest distance in Å per order and pair; row k is 'any other element'."""
    k = len(ELEMENTS)
    table = np.zeros((3, k + 1, k + 1))
    for pair, lengths in _LENGTHS.items():
        i, j = map(ELEMENTS.index, pair.split("-"))
        for order, length in enumerate(lengths):
            table[order, i, j] = table[order, j, i] = (length + _MARGINS[order]) / 100
    return table


_THRESHOLDS = _thresholds()
_INDEX = {symbol: k for k, symbol in enumerate(ELEMENTS)}
# (k + 1, 7) whether a sum of orders is a valence: 6 and more are none, as are other elements'.
_STABLE = np.array([[v in VALENCES.get(e, ()) for v in range(7)] for e in (*ELEMENTS, "")])


@dataclass(frozen=True)
class Looked:
    """One molecule after the look-up.

    ``smiles`` is the identity (None if invalid); ``reason`` says why it is not stable or not
    valid, whichever comes first (None if both); ``outside`` the elements that the table lacks.
    """

    atoms: int
    stable_atoms: int
    stable: bool
    smiles: str | None
    reason: str | None
    outside: tuple[str, ...] = ()


def bond_orders(
    kinds: npt.NDArray[np.int64], positions: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """(n, n) symmetric bond orders 0 to 3.

    Parameters
    ----------
    kinds:
        (n,) index into `ELEMENTS`, ``len(ELEMENTS)`` for any other element (never bonded).
    positions:
        (n, 3) Å.
    """
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    # The limits fall with the order, so the number of limits met is the largest order that fits.
    fits: npt.NDArray[np.bool_] = distances < _THRESHOLDS[:, kinds[:, None], kinds[None]]
    orders: npt.NDArray[np.int64] = fits.sum(axis=0)
    return orders


def look_up(sample: Sample) -> Looked:
    """Judge one molecule by its elements and coordinates."""
    n = len(sample.symbols)
    if n == 0:
        return Looked(0, 0, False, None, sample.reason or "empty")
    if sample.positions is None:
        return Looked(n, 0, False, None, "no coordinates")
    if not np.isfinite(sample.positions).all():
        return Looked(n, 0, False, None, "non-finite coordinates")
    kinds = np.array([_INDEX.get(symbol, len(ELEMENTS)) for symbol in sample.symbols])
    orders = bond_orders(kinds, sample.positions)
    stable = _STABLE[kinds, np.minimum(orders.sum(axis=0), 6)]
    count = int(stable.sum())
    other = tuple(sorted({symbol for symbol in sample.symbols if symbol not in _INDEX}))
    if other:
        failure = f"element outside the table: {', '.join(other)}"
        return Looked(n, count, False, None, failure, other)
    smiles = _identity(sample.symbols, orders)
    reason = "cannot be sanitised" if smiles is None else "unstable atoms"
    return Looked(n, count, count == n, smiles, None if count == n and smiles else reason)


def _identity(symbols: Sequence[str], orders: npt.NDArray[np.int64]) -> str | None:
    """SMILES of the largest fragment, hydrogens written; None if RDKit refuses the molecule."""
    mol = Chem.RWMol()
    for symbol in symbols:
        mol.AddAtom(Chem.Atom(symbol))
    for i, j in np.argwhere(np.triu(orders)).tolist():
        mol.AddBond(i, j, BOND_TYPES[orders[i, j]])
    with quiet():
        try:
            Chem.SanitizeMol(mol)
            parts = [str(Chem.MolToSmiles(f)) for f in Chem.GetMolFrags(mol, asMols=True)]
            sizes = [len(f) for f in Chem.GetMolFrags(mol)]
        except (ValueError, RuntimeError):
            return None
    # Of equally large fragments the first in the alphabet, whatever the order of the atoms.
    return min(zip(sizes, parts, strict=True), key=lambda part: (-part[0], part[1]))[1]


@dataclass(frozen=True)
class Lookup(Identities):
    """All molecules after the look-up, and the training set seen the same way."""

    rows: tuple[Looked, ...]
    training: SmilesSet | None

    @property
    def counted(self) -> Sequence[Identity]:
        """All but those with other elements: without lengths there are no bonds to judge."""
        return self.applicable

    def failures(self) -> list[str]:
        """Reasons of all molecules that are not both stable and valid."""
        return [row.reason for row in self.rows if row.reason is not None]


def measure(
    items: Sequence[Sample],
    training: SmilesSet | None,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Lookup | str:
    """Look all molecules up; a string says why the protocol does not apply."""
    if (
        items
        and all(s.positions is None for s in items if s.symbols)
        and any(s.symbols for s in items)
    ):
        return "no three-dimensional coordinates"
    rows = each(look_up, items, jobs=jobs, stage="look-up", progress=progress)
    return Lookup(tuple(rows), training)
