"""The molecular graph as arrays of small integers, for networks that read a given molecule.

Only what the input itself says: elements, hydrogens, hybridisation, rings, bonds and graph
distances, never coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "ATOM_CLASSES",
    "PAIR_CLASSES",
    "MolecularGraph",
    "molecular_graph",
    "skeleton",
    "symmetries",
]

_ELEMENTS = (6, 7, 8, 9, 15, 16, 17, 35, 53)  # the rest share one class
_RINGS = (3, 4, 5, 6, 7)
_ORDERS = {1.0: 1, 2.0: 2, 3.0: 3, 1.5: 4}
_LONGEST = 8  # graph distances from here on are one class

ATOM_CLASSES: tuple[int, ...] = (len(_ELEMENTS) + 1, 5, 5, 4, 2, 3, len(_RINGS) + 2)
"""Number of classes of each column of ``MolecularGraph.atoms``: element, heavy neighbours,
hydrogens, hybridisation, aromaticity, sign of the charge, smallest ring."""

PAIR_CLASSES = 5 + _LONGEST - 1
"""Classes of ``MolecularGraph.pairs``: itself, single, double, triple and aromatic bond, then
graph distances 2, 3, ..., 8 and more."""


@dataclass(frozen=True, eq=False)
class MolecularGraph:
    """n heavy atoms of a molecule.

    Attributes
    ----------
    atoms:
        (n, len(ATOM_CLASSES)) int8, a class index per column.
    pairs:
        (n, n) int8, symmetric, an index below `PAIR_CLASSES`.
    """

    atoms: npt.NDArray[np.int8]
    pairs: npt.NDArray[np.int8]


def molecular_graph(mol: Any, heavy: npt.ArrayLike | None = None) -> MolecularGraph:
    """Return the graph of a sanitised RDKit molecule.

    Parameters
    ----------
    mol:
        With or without explicit hydrogens.
    heavy:
        (n,) indices of the atoms to keep, in the order wanted; all heavy atoms by default.
    """
    from rdkit import Chem

    rings = mol.GetRingInfo().AtomRings()
    smallest = np.zeros(mol.GetNumAtoms(), dtype=int)
    for ring in sorted(rings, key=len, reverse=True):
        smallest[list(ring)] = len(ring)
    if heavy is None:
        heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    chosen = np.asarray(heavy, dtype=np.int64)
    rows = [_atom(mol.GetAtomWithIdx(int(i)), int(smallest[i])) for i in chosen]
    distance = Chem.GetDistanceMatrix(mol)[np.ix_(chosen, chosen)]
    pairs = 3 + distance.clip(2, _LONGEST)
    pairs[distance == 0] = 0
    place = {int(i): k for k, i in enumerate(chosen)}
    for bond in mol.GetBonds():
        u, v = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if u in place and v in place:
            i, j = place[u], place[v]
            pairs[i, j] = pairs[j, i] = _ORDERS.get(bond.GetBondTypeAsDouble(), 1)
    width = len(ATOM_CLASSES)
    return MolecularGraph(np.array(rows, np.int8).reshape(-1, width), pairs.astype(np.int8))


def _atom(atom: Any, ring: int) -> tuple[int, ...]:
    number, charge = atom.GetAtomicNum(), atom.GetFormalCharge()
    degree = sum(n.GetAtomicNum() > 1 for n in atom.GetNeighbors())
    hybrid = {"SP": 0, "SP2": 1, "SP3": 2}.get(str(atom.GetHybridization()), 3)
    return (
        _ELEMENTS.index(number) if number in _ELEMENTS else len(_ELEMENTS),
        min(degree, 4),
        min(atom.GetTotalNumHs(includeNeighbors=True), 4),
        hybrid,
        int(atom.GetIsAromatic()),
        1 + (charge > 0) - (charge < 0),
        0 if ring == 0 else _RINGS.index(ring) + 1 if ring in _RINGS else len(_RINGS) + 1,
    )


def skeleton(mol: Any) -> Any:
    """Return the heavy atoms joined by single bonds, without charges and stereochemistry."""
    from rdkit import Chem

    plain = Chem.RWMol()
    heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    place = {i: k for k, i in enumerate(heavy)}
    for i in place:
        plain.AddAtom(Chem.Atom(mol.GetAtomWithIdx(i).GetAtomicNum()))
    for bond in mol.GetBonds():
        u, v = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if u in place and v in place:
            plain.AddBond(place[u], place[v], Chem.BondType.SINGLE)
    return plain.GetMol()


def symmetries(mol: Any, *, limit: int = 20) -> npt.NDArray[np.int16]:
    """Return up to ``limit`` relabelings (s, n) of the heavy atoms that keep elements and bonds.

    Bond orders and charges are ignored, so both oxygens of a carboxylate are one another's
    images.  The first is the identity.
    """
    plain = skeleton(mol)
    matches = plain.GetSubstructMatches(plain, uniquify=False, maxMatches=limit)
    identity = tuple(range(plain.GetNumAtoms()))
    rest = [match for match in matches if match != identity]
    return np.array([identity, *rest][:limit], dtype=np.int16)
