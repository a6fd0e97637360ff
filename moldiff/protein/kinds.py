"""What kind of residue each is: by its name, its atoms, and what it is bonded to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.protein.elements import METALS
from moldiff.protein.records import Records
from moldiff.protein.residues import AMINO_ACIDS, NUCLEOTIDES, WATERS

__all__ = ["classify"]

_PEPTIDE, _PHOSPHATE = 1.9, 2.1  # Å: longest bonds C-N and O3'-P taken as links of a chain
# kind -> (atoms that have to be there, the ends that link residues: this one's, the neighbour's)
_POLYMERS = {
    "protein": ({"N", "CA", "C"}, (("N", "C"), ("C", "N")), _PEPTIDE),
    "nucleic": ({"C3'", "C4'", "O3'"}, (("P", "O3'"), ("O3'", "P")), _PHOSPHATE),
}

Key = tuple[str, int, str, str]


def classify(records: Records, residue: npt.NDArray[np.int32]) -> Iterator[tuple[Key, str]]:
    """Yield (chain, number, insertion, name) and the kind of each residue.

    A name from the tables makes an amino acid or a nucleotide, unless it stands as HETATM and
    alone: glutamate as a ligand, ATP.  A residue of any other name belongs to the chain if it
    has the backbone's atoms and is bonded to the next residue's.
    """
    starts = np.flatnonzero(np.r_[True, residue[1:] != residue[:-1]])
    stops = np.r_[starts[1:], len(residue)]
    names = records.names.tolist()
    links = {kind: _linked(records, residue, kind) for kind in _POLYMERS}
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        key = (
            str(records.chain[start]),
            int(records.number[start]),
            str(records.insertion[start]),
            str(records.residue[start]),
        )
        atoms = set(names[start:stop])
        linked = {kind for kind in _POLYMERS if int(residue[start]) in links[kind]}
        element = int(records.numbers[start])
        yield key, _kind(key[3], atoms, linked, element, hetero=bool(records.hetero[start]))


def _kind(name: str, atoms: set[str], linked: set[str], element: int, *, hetero: bool) -> str:
    upper = name.upper()
    if upper in WATERS:
        return "water"
    if len(atoms) == 1 and METALS[element]:
        return "metal"
    for kind, table in (("protein", AMINO_ACIDS), ("nucleic", NUCLEOTIDES)):
        complete = _POLYMERS[kind][0] <= atoms
        if kind in linked and complete:
            return kind
        # HETATM: a complete one that is bonded to no other is no part of a chain; a cap is.
        # UNK without a backbone is how some programs call a ligand.
        if upper in table and not (hetero and complete) and (upper != "UNK" or complete):
            return kind
    return "cofactor"


def _linked(records: Records, residue: npt.NDArray[np.int32], kind: str) -> set[int]:
    """The residues bonded to another of the chain by the kind's linking atoms."""
    _, ends, reach = _POLYMERS[kind]
    own, other = ends[0]
    first, second = np.flatnonzero(records.names == own), np.flatnonzero(records.names == other)
    if not len(first) or not len(second):
        return set()
    tree = cKDTree(records.positions[second])
    distance, index = tree.query(records.positions[first], k=2, distance_upper_bound=reach)
    residues: set[int] = set()
    for k in range(2):
        near = np.isfinite(distance[:, k])
        a, b = residue[first[near]], residue[second[index[near, k]]]
        apart = a != b
        residues |= set(a[apart].tolist()) | set(b[apart].tolist())
    return residues
