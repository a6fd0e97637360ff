"""The proof that a molecule has the part it was asked to keep, computed from what is written.

``kept: 14 of 14 atoms, 15 of 15 bonds, stereo same, largest displacement 0.000 Å``

An atom is kept if its element, charge and bonds to the outside are as asked for: a point has given
hydrogens for new bonds, all other atoms have the hydrogens they had and no new bond.  A bond is
kept if its Kekulé order is the same.  Nothing is repaired: a molecule that lacks something says so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from moldiff.chem.handedness import same_stereo
from moldiff.chem.quiet import quiet
from moldiff.design.scaffold import Scaffold

__all__ = ["Proof", "prove"]

_TOLERANCE = 5e-4  # Å: files have four decimals


@dataclass(frozen=True)
class Proof:
    """What of a scaffold is in a molecule.

    Attributes
    ----------
    atoms, bonds:
        Numbers of those kept, and of all.
    stereo:
        Whether all stereocentres and double bonds are as they were; None without any.
    displacement:
        The largest of a kept atom, copied hydrogens included, in Å, without superposition; NaN if
        the molecule has too few atoms.
    """

    atoms: tuple[int, int]
    bonds: tuple[int, int]
    stereo: bool | None
    displacement: float

    @property
    def line(self) -> str:
        """The proof as text."""
        stereo = {True: "stereo same", False: "stereo changed", None: "no stereo"}[self.stereo]
        return (
            f"{self.atoms[0]} of {self.atoms[1]} atoms, {self.bonds[0]} of {self.bonds[1]} bonds, "
            f"{stereo}, largest displacement {self.displacement:.3f} Å"
        )

    @property
    def failure(self) -> str | None:
        """``part not kept: ...``, or None if it is."""
        whole = self.atoms[0] == self.atoms[1] and self.bonds[0] == self.bonds[1]
        same = self.stereo is not False and self.displacement <= _TOLERANCE
        return None if whole and same else f"part not kept: {self.line}"


def prove(mol: Chem.Mol, scaffold: Scaffold, points: Collection[int]) -> Proof:
    """Compare a molecule, as an SDF file has it, with the scaffold that it was to keep.

    Parameters
    ----------
    mol:
        Its first heavy atoms are to be the scaffold's, in order.
    points:
        Atoms of the scaffold that were to have new bonds.
    """
    written = _written(mol)
    if written is None or written.GetNumAtoms() < scaffold.size:
        return Proof((0, scaffold.size), (0, len(_bonds(scaffold))), None, float("nan"))
    atoms = sum(_kept(written, scaffold, i, i in points) for i in range(scaffold.size))
    bonds = _bonds(scaffold)
    same_bonds = 0
    for i, j, kind in bonds:
        bond = written.GetBondBetweenAtoms(i, j)
        same_bonds += bond is not None and bond.GetBondType() == kind
    return Proof(
        (atoms, scaffold.size),
        (same_bonds, len(bonds)),
        same_stereo(scaffold.mol, written, {i: i for i in range(scaffold.size)}),
        _displacement(written, scaffold, points),
    )


def _written(mol: Chem.Mol) -> Chem.Mol | None:
    """The molecule after a round through the text of an SDF record."""
    with quiet():
        block = Chem.MolToMolBlock(mol, includeStereo=False, kekulize=False)
        return Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)


def _bonds(scaffold: Scaffold) -> list[tuple[int, int, Chem.BondType]]:
    ends = (
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b.GetBondType()) for b in scaffold.mol.GetBonds()
    )
    return [(i, j, kind) for i, j, kind in ends if max(i, j) < scaffold.size]


def _kept(written: Chem.Mol, scaffold: Scaffold, i: int, point: bool) -> bool:
    old, new = scaffold.mol.GetAtomWithIdx(i), written.GetAtomWithIdx(i)
    if (old.GetAtomicNum(), old.GetFormalCharge()) != (new.GetAtomicNum(), new.GetFormalCharge()):
        return False
    neighbours = list(new.GetNeighbors())
    hydrogens = sum(a.GetAtomicNum() == 1 for a in neighbours)
    grown = sum(a.GetAtomicNum() > 1 and a.GetIdx() >= scaffold.size for a in neighbours)
    before = len(scaffold.hydrogens(i))
    return (hydrogens < before and grown > 0) if point else (hydrogens == before and not grown)


def _displacement(written: Chem.Mol, scaffold: Scaffold, points: Collection[int]) -> float:
    x, known = written.GetConformer().GetPositions(), scaffold.positions
    largest = float(np.linalg.norm(x[: scaffold.size] - known[: scaffold.size], axis=1).max())
    for i in set(range(scaffold.size)) - set(points):
        for hydrogen, source in zip(_hydrogens(written, i), scaffold.hydrogens(i), strict=False):
            if scaffold.measured(source):
                largest = max(largest, float(np.linalg.norm(x[hydrogen] - known[source])))
    return largest


def _hydrogens(mol: Chem.Mol, i: int) -> list[int]:
    neighbours = mol.GetAtomWithIdx(i).GetNeighbors()
    return sorted(a.GetIdx() for a in neighbours if a.GetAtomicNum() == 1)
