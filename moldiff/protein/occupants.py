"""What stands in a pocket in place of the ligand that is to be docked: crystal ligands, peptides.

Most receptor files still hold the ligand they were solved with.  A group is taken for one where it
lies on the reference ligand, or at the middle of the box, unless it is known to belong to the
protein: metals, sugars and lipids bonded to it, and the cofactors of `LASTING`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from moldiff.protein.residues import ADDITIVES
from moldiff.protein.structure import POLYMERS, Structure

__all__ = [
    "LASTING",
    "SMALLEST",
    "at",
    "chains_of",
    "lasting_under",
    "ligands",
    "molecules",
    "on",
    "under",
]

#: Cofactors that stay where they are: haems, flavins, nicotinamides, clusters and their like.
LASTING = frozenset(
    "HEM HEC HEA HEB HAS HDD HDM DHE SRM FAD FMN FDA NAD NAI NAP NDP NAJ NDC PLP LLP TPP TDP B12 "
    "COB CNC MGD MTE MCN MSS PQQ F43 CLA CHL BCL BCB BPH PEB CYC RET SF4 F3S FES CLF CFN ICS FCO "
    "HC4 BTI LPA THG H4B BH4 4HG CUA CUZ OEX OEC".split()
)
_ON, _BESIDE = 1.2, 2.0  # Å to an atom of the reference: on it; too near for two molecules
_MIDDLE = 3.0  # Å: a group with an atom this near to the middle of the box fills it
_BONDED, _LINK = 2.0, 1.9  # Å between a group and a polymer; between two groups
#: Heavy atoms of a ligand, at least.
SMALLEST = 6
_PEPTIDE = 30  # residues of a chain that may be a ligand
_SHARE = 0.25  # of all residues of polymers, at most, in such a chain
_COVERED = 0.6  # of a residue's atoms: the reference is this residue


def chains_of(structure: Structure) -> list[list[int]]:
    """Return the residues of each polymer chain that is short enough to be a ligand."""
    chains: dict[str, list[int]] = defaultdict(list)
    for i, residue in enumerate(structure.residues):
        if residue.kind in POLYMERS:
            chains[residue.chain].append(i)
    total = sum(map(len, chains.values()))
    return [c for c in chains.values() if len(c) <= min(_PEPTIDE, _SHARE * total)]


def molecules(structure: Structure) -> list[list[int]]:
    """Return the groups that are neither polymer, metal nor water; bonded ones together."""
    group = structure.of_kind("cofactor")
    residue = structure.residue[group]
    pairs = cKDTree(structure.positions[group]).query_pairs(_LINK, output_type="ndarray")
    ends = residue[pairs]
    size = len(structure.residues)
    links = csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (size, size))
    _, number = connected_components(links, directed=False)
    joined: dict[int, list[int]] = defaultdict(list)
    for i in np.unique(residue).tolist():
        joined[int(number[i])].append(i)
    return list(joined.values())


def ligands(structure: Structure) -> list[list[int]]:
    """Return the residues of each molecule that may be a crystal ligand: groups, peptides."""
    polymer = structure.of_kind(*POLYMERS)
    bonded: set[int] = set()
    if polymer.any():
        near, _ = cKDTree(structure.positions[polymer]).query(structure.positions)
        bonded = set(structure.residue[(near < _BONDED) & ~polymer].tolist())
    size = np.bincount(structure.residue, minlength=len(structure.residues))
    groups = [
        members
        for members in molecules(structure)
        if not {structure.residues[i].name for i in members} & (LASTING | ADDITIVES)
        and size[members].sum() >= SMALLEST
        and not bonded.intersection(members)
    ]
    return [*groups, *chains_of(structure)]


def on(structure: Structure, reference: npt.NDArray[np.floating[Any]]) -> set[int]:
    """Return the residues that a reference ligand (n, 3) in Å lies on: the ligand itself.

    Of polymers these are residues that the reference covers, and the whole of a short chain of
    which it covers half.
    """
    near, _ = cKDTree(np.asarray(reference, dtype=float)).query(structure.positions)
    polymer = structure.of_kind(*POLYMERS)
    residues = set(structure.residue[(near < _ON) & ~polymer].tolist())
    beside = set(structure.residue[(near < _BESIDE) & ~polymer].tolist())
    residues |= {i for members in ligands(structure) for i in members if i in beside}
    peptide = {i for i, residue in enumerate(structure.residues) if residue.kind in POLYMERS}
    peptide &= _covered(structure, near)
    for chain in chains_of(structure):
        if 2 * len(peptide.intersection(chain)) >= len(chain):
            peptide |= set(chain)
    return residues | peptide


def _covered(structure: Structure, near: npt.NDArray[np.floating[Any]]) -> set[int]:
    """The residues whose atoms are mostly on something that is so far from each atom (m,), Å."""
    size = np.bincount(structure.residue, minlength=len(structure.residues))
    there = np.bincount(structure.residue[near < _ON], minlength=len(size))
    return set(np.flatnonzero(there >= _COVERED * size).tolist())


def under(structure: Structure, points: npt.NDArray[np.floating[Any]]) -> list[list[int]]:
    """Return the ligands, by their residues, that poses (n, 3) in Å stand in the place of.

    Of a peptide poses lie on half of the residues.
    """
    near, _ = cKDTree(np.asarray(points, dtype=float)).query(structure.positions)
    beside = set(structure.residue[near < _BESIDE].tolist())
    covered = _covered(structure, near)
    return [
        whole
        for whole in ligands(structure)
        if (
            beside.intersection(whole)
            if structure.residues[whole[0]].kind == "cofactor"
            else 2 * len(covered.intersection(whole)) >= len(whole)
        )
    ]


def lasting_under(structure: Structure, points: npt.NDArray[np.floating[Any]]) -> list[int]:
    """Return the residues of lasting cofactors that poses (n, 3) in Å stand in the place of."""
    near, _ = cKDTree(np.asarray(points, dtype=float)).query(structure.positions)
    beside = np.unique(structure.residue[near < _BESIDE]).tolist()
    return [i for i in beside if structure.residues[i].name in LASTING]


def at(
    structure: Structure, point: npt.NDArray[np.floating[Any]], reach: float = _MIDDLE
) -> tuple[set[int], set[int]]:
    """Return the residues of ligands with an atom within ``reach`` Å of a point (3,), and those
    of lasting cofactors there."""
    far = np.linalg.norm(structure.positions - np.asarray(point, dtype=np.float32), axis=1)
    here = set(structure.residue[far < reach].tolist())
    filling = {i for whole in ligands(structure) if here.intersection(whole) for i in whole}
    return filling, {i for i in here if structure.residues[i].name in LASTING}
