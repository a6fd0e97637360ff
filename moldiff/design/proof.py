"""The proof that a molecule has the part it was asked to keep, computed from what is written.

``kept: 14 of 14 atoms, 15 of 15 bonds, stereo same, largest displacement 0.000 Å``

An atom is kept if its element, charge and bonds to the outside are as asked for: a point has given
hydrogens for new bonds, all other atoms have the hydrogens they had and no new bond.  A bond is
kept if its Kekulé order is the same.  Nothing is repaired: a molecule that lacks something says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rdkit import Chem

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
    found = 0
    for i, j, kind in bonds:
        bond = written.GetBondBetweenAtoms(i, j)
        found += bond is not None and bond.GetBondType() == kind
    signs = list(_signs(scaffold, written))
    return Proof(
        (atoms, scaffold.size),
        (found, len(bonds)),
        all(signs) if signs else None,
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


def _signs(scaffold: Scaffold, written: Chem.Mol) -> Iterator[bool]:
    """Whether each stereocentre and double bond of the scaffold has the same hand or side."""
    with quiet():
        perceived = Chem.Mol(scaffold.mol)
        Chem.SanitizeMol(perceived)
        Chem.AssignStereochemistryFrom3D(perceived)
        elements = list(Chem.FindPotentialStereo(perceived))
    old, new = scaffold.positions, written.GetConformer().GetPositions()
    for element in elements:
        if element.specified != Chem.StereoSpecified.Specified:
            continue
        atoms = [a for a in element.controllingAtoms if a != Chem.StereoInfo.NOATOM]
        if element.type == Chem.StereoType.Atom_Tetrahedral:
            centre = int(element.centeredOn)
            pairs = _matched(scaffold, written, centre, atoms)
            if len(pairs) >= 3:
                yield _hand(old, centre, [a for a, _ in pairs[:3]]) == _hand(
                    new, centre, [b for _, b in pairs[:3]]
                )
        elif element.type == Chem.StereoType.Bond_Double:
            bond = scaffold.mol.GetBondWithIdx(int(element.centeredOn))
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            sides = [
                _matched(scaffold, written, end, [a for a in atoms if _joined(scaffold, end, a)])
                for end in ends
            ]
            if all(sides):
                (a, b), (c, d) = sides[0][0], sides[1][0]
                yield _side(old, ends, (a, c)) == _side(new, ends, (b, d))


def _joined(scaffold: Scaffold, i: int, j: int) -> bool:
    return scaffold.mol.GetBondBetweenAtoms(int(i), int(j)) is not None


def _matched(
    scaffold: Scaffold, written: Chem.Mol, centre: int, atoms: Collection[int]
) -> list[tuple[int, int]]:
    """Neighbours of an atom before and after: a new atom stands for the hydrogen it replaced."""
    neighbours = [a.GetIdx() for a in written.GetAtomWithIdx(centre).GetNeighbors()]
    others = [a for a in neighbours if a >= scaffold.size]
    pairs = [(int(a), int(a)) for a in atoms if a < scaffold.size]
    hydrogens = [int(a) for a in atoms if a >= scaffold.size]
    return pairs + (
        list(zip(hydrogens, others, strict=True)) if len(hydrogens) == len(others) == 1 else []
    )


def _hand(x: npt.NDArray[np.float64], centre: int, atoms: list[int]) -> bool:
    a, b, c = (x[atom] - x[centre] for atom in atoms)
    return bool(np.dot(a, np.cross(b, c)) > 0)


def _side(x: npt.NDArray[np.float64], ends: tuple[int, int], atoms: tuple[int, int]) -> bool:
    """Whether two substituents of a double bond are on one side of it."""
    axis = x[ends[1]] - x[ends[0]]
    axis = axis / np.linalg.norm(axis)
    first, second = (x[atom] - x[end] for atom, end in zip(atoms, ends, strict=True))
    first, second = (v - np.dot(v, axis) * axis for v in (first, second))
    return bool(np.dot(first, second) > 0)
