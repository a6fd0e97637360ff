"""Contacts between a pose and a receptor: hydrogen bonds, metals, hydrophobic pairs, clashes.

Hydrogen bonds are judged by heavy atoms alone, so that they do not depend on where a hydroxyl
hydrogen was put: distance at most 3.5 Å and every angle antecedent-donor-acceptor and
antecedent-acceptor-donor at least 90 degrees (after McDonald & Thornton, J. Mol. Biol. 238
(1994) 777, who allow 3.9 Å).  A clash is nearer than 0.75 times the sum of the van der Waals
radii, as PoseBusters has it (Buttenschoen et al., Chem. Sci. 15 (2024) 3130).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

if TYPE_CHECKING:
    from moldiff.protein.receptor import Receptor

__all__ = ["KINDS", "Contact", "contacts"]

#: Kinds of contacts, the most telling first.
KINDS = ("hydrogen bond", "metal", "hydrophobic", "clash")

_HYDROGEN_BOND, _METAL, _HYDROPHOBIC = 3.5, 2.8, 4.0  # Å
_CLASH = 0.75
_BONDED = 1.95  # Å: receptor atoms nearer than this are taken as bonded
_REACH = 5.0

_ACCEPTOR = (
    "[#8,$([n;X2]),$([N;X1]),$([N;X2;+0]),$([N;X3;v3;+0;!$(N-*=[O,N,S,P]);!$(N-a)]),$([S;X1;-])]"
)
_DONOR = "[#7,#8;!H0]"
_PERIODIC = Chem.GetPeriodicTable()

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Contact:
    """One contact.

    Attributes
    ----------
    kind:
        One of `KINDS`.
    ligand, receptor:
        Index of the atom in the molecule and in the receptor's structure.
    distance:
        In Å.
    """

    kind: str
    ligand: int
    receptor: int
    distance: float


def contacts(mol: Chem.Mol, receptor: Receptor) -> list[Contact]:
    """Return the contacts of a sanitised molecule's first conformer, nearest first by kind.

    Of the hydrophobic pairs only the nearest between a ligand atom and a residue is listed,
    and one for each receptor atom.
    """
    heavy = np.array([a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1], dtype=int)
    structure = receptor.structure
    if not len(heavy) or not len(structure.positions):
        return []
    x = mol.GetConformer().GetPositions()[heavy]
    apart = np.linalg.norm(x[:, None] - structure.positions[None], axis=-1)
    near = np.flatnonzero((apart < _REACH).any(0))
    apart = apart[:, near]
    donor, acceptor, greasy = _ligand_roles(mol, heavy)
    theirs = {name: np.asarray(getattr(receptor, name))[near] for name in _ROLES}
    bonds = (donor[:, None] & (theirs["acceptor"] & ~theirs["metal"])) | (
        acceptor[:, None] & (theirs["donor"] & ~theirs["metal"])
    )
    found = {
        "hydrogen bond": bonds
        & (apart <= _HYDROGEN_BOND)
        & _open_angles(mol, heavy, x, structure.positions, near),
        "metal": acceptor[:, None] & theirs["metal"] & (apart <= _METAL),
        "hydrophobic": greasy[:, None] & theirs["hydrophobic"] & (apart <= _HYDROPHOBIC),
    }
    radii = [_radii([mol.GetAtomWithIdx(int(i)).GetAtomicNum() for i in heavy])]
    radii.append(_radii(structure.numbers[near].tolist()))
    close = apart < _CLASH * (radii[0][:, None] + radii[1])
    found["clash"] = close & ~found["hydrogen bond"] & ~found["metal"]
    found["hydrophobic"] &= ~found["clash"]
    listed = []
    for kind in KINDS:
        pairs = sorted(zip(*np.nonzero(found[kind]), strict=True), key=lambda p: apart[p])
        own = [Contact(kind, int(heavy[i]), int(near[j]), float(apart[i, j])) for i, j in pairs]
        listed += _thinned(own, structure.residue) if kind == "hydrophobic" else own
    return listed


_ROLES = ("donor", "acceptor", "hydrophobic", "metal")


def _thinned(pairs: list[Contact], residue: npt.NDArray[np.integer[Any]]) -> list[Contact]:
    """The nearest pair of each ligand atom and residue, and of each receptor atom."""
    taken: set[tuple[str, int, int]] = set()
    kept = []
    for pair in pairs:
        keys = {
            ("residue", pair.ligand, int(residue[pair.receptor])),
            ("atom", pair.receptor, 0),
        }
        if not keys & taken:
            kept.append(pair)
            taken |= keys
    return kept


def _ligand_roles(mol: Chem.Mol, heavy: npt.NDArray[np.int_]) -> tuple[Any, Any, Any]:
    """Donors, acceptors and hydrophobic atoms among the heavy ones, (n,) bool each."""
    donor, acceptor = (
        np.isin(heavy, [i for match in mol.GetSubstructMatches(_pattern(text)) for i in match])
        for text in (_DONOR, _ACCEPTOR)
    )
    greasy = np.zeros(len(heavy), dtype=bool)
    for k, index in enumerate(heavy):
        atom = mol.GetAtomWithIdx(int(index))
        around = {n.GetAtomicNum() for n in atom.GetNeighbors()}
        number = atom.GetAtomicNum()
        greasy[k] = number in (17, 35, 53) or (number == 6 and around <= {1, 6})
    return donor, acceptor, greasy


def _open_angles(
    mol: Chem.Mol,
    heavy: npt.NDArray[np.int_],
    x: Floats,
    positions: Floats,
    near: npt.NDArray[np.int_],
) -> npt.NDArray[np.bool_]:
    """Whether no antecedent of either atom is on the side of the other, (n, len(near)) bool."""
    place = {int(i): k for k, i in enumerate(heavy)}
    y = positions[near]
    result = np.ones((len(heavy), len(near)), dtype=bool)
    between = y[None] - x[:, None]
    for k, index in enumerate(heavy):
        for other in mol.GetAtomWithIdx(int(index)).GetNeighbors():
            if other.GetIdx() in place:
                arm = x[place[other.GetIdx()]] - x[k]
                result[k] &= between[k] @ arm <= 0
    for j, centre in enumerate(y):
        arms = positions - centre
        size = (arms**2).sum(-1)
        arms = arms[(size > 0.01) & (size < _BONDED**2)]
        result[:, j] &= (-between[:, j] @ arms.T <= 0).all(-1)
    return result


def _radii(numbers: list[int]) -> Floats:
    return np.array([_PERIODIC.GetRvdw(int(z)) for z in numbers])


@lru_cache(maxsize=4)
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)
