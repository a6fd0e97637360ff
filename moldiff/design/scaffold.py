"""The part of a molecule that is kept: its atoms, its pose, and where new bonds may begin.

::

    scaffold_of(molecules) ---> Scaffold of all their atoms
    kept_of(molecule, "1-9") ---> Scaffold of some of its atoms; hydrogens fill the cuts

A point is an atom at which new bonds begin: it gives hydrogens for them.  It is named by a dummy
atom ([*:1]) that stands for the new atom, by its number, by a SMARTS, or by what was cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.hydrogens import hydrogens_last, place_hydrogens
from moldiff.chem.quiet import quiet
from moldiff.design.atoms import NUMBER, Named, named
from moldiff.errors import InputError
from moldiff.text import ranges

__all__ = ["Scaffold", "kept_of", "scaffold_of"]

_GIVEN = "_given"
# Kekulé structures of the input stay, and aromatic bonds become one.
_KEKULISED = Chem.SanitizeFlags.SANITIZE_ALL ^ Chem.SanitizeFlags.SANITIZE_SETAROMATICITY
_APART = 1.2  # Å: the atoms of two fragments are further apart than any bond is short

Points = Mapping[int, tuple[int, ...]]
"""Atom (from 0) -> the numbers of hydrogens that it may be left with."""


@dataclass(frozen=True, eq=False)
class Scaffold:
    """A part that is kept.

    Attributes
    ----------
    mol:
        Kekulised, one conformer (Å): the k heavy atoms, then the hydrogens they have where no new
        bond is made.
    named:
        Points that are asked for by name.
    """

    mol: Chem.Mol
    named: Points = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number k of heavy atoms."""
        return int(self.mol.GetNumHeavyAtoms())

    @property
    def charge(self) -> int:
        """Net charge in e."""
        return int(Chem.GetFormalCharge(self.mol))

    @property
    def positions(self) -> npt.NDArray[np.float64]:
        """All atoms, hydrogens last, (a, 3) in Å."""
        return np.asarray(self.mol.GetConformer().GetPositions())

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of each heavy atom in the input, from 1."""
        return tuple(self.mol.GetAtomWithIdx(i).GetIntProp(NUMBER) for i in range(self.size))

    @property
    def fragments(self) -> npt.NDArray[np.int64]:
        """The piece to which each heavy atom belongs, from 0, (k,)."""
        labels = np.zeros(self.size, np.int64)
        for piece, atoms in enumerate(Chem.GetMolFrags(self.mol)):
            labels[[i for i in atoms if i < self.size]] = piece
        return labels

    @property
    def open(self) -> Points:
        """All possible points: the atoms with hydrogens, named ones as they are named."""
        hydrogens = [len(self.hydrogens(i)) for i in range(self.size)]
        return {i: self.named.get(i, tuple(range(h))) for i, h in enumerate(hydrogens) if h}

    def hydrogens(self, atom: int) -> list[int]:
        """Return the hydrogens of a heavy atom where no new bond is made, in order."""
        neighbours = self.mol.GetAtomWithIdx(atom).GetNeighbors()
        return sorted(a.GetIdx() for a in neighbours if a.GetAtomicNum() == 1)

    def measured(self, hydrogen: int) -> bool:
        """Whether the input has the position of a hydrogen."""
        return bool(self.mol.GetAtomWithIdx(hydrogen).HasProp(_GIVEN))

    def at(self, text: Named) -> Scaffold:
        """Return the scaffold with points named by numbers, ``7,12``, or by a SMARTS.

        Raises
        ------
        InputError
            If an atom is none of the scaffold or has no hydrogen to give, or the SMARTS is none or
            matches nothing.
        """
        places = {number: i for i, number in enumerate(self.numbers)}
        points: dict[int, tuple[int, ...]] = {}
        for number in named(self.mol, text, first=True):
            if number not in places:
                raise InputError(
                    f"Atom {number} is no heavy atom of the scaffold.",
                    fix=f"Name one of {ranges(self.numbers)}.",
                )
            atom = places[number]
            if atom not in self.open:
                symbol = self.mol.GetAtomWithIdx(atom).GetSymbol()
                free = [self.numbers[i] for i in self.open]
                raise InputError(
                    f"Atom {number} ({symbol}) has no free valence: no hydrogen to give for a "
                    "new bond.",
                    fix=f"Atoms that have one: {ranges(free)}." if free else "",
                )
            points[atom] = self.open[atom]
        return replace(self, named={**self.named, **points})


def scaffold_of(molecules: Sequence[Chem.Mol], *, seed: int = 0) -> Scaffold:
    """Return the scaffold of whole molecules: one, or fragments in one frame.

    Dummy atoms become points with exactly their bond; numbers run on through all molecules.
    Without coordinates (SMILES) a conformer is made.

    Raises
    ------
    InputError
        If a molecule cannot be sanitised or embedded, or two fragments overlap.
    """
    whole = _numbered(molecules)
    dummies = [a.GetIdx() for a in whole.GetAtoms() if a.GetAtomicNum() == 0]
    scaffold = _cut(whole, [a.GetIdx() for a in whole.GetAtoms() if a.GetIdx() not in dummies])
    if not scaffold.mol.GetNumConformers():
        scaffold = replace(scaffold, mol=_embedded(scaffold.mol, seed))
    _check_apart(scaffold)
    return scaffold


def kept_of(mol: Chem.Mol, text: Named, *, seed: int = 0) -> Scaffold:
    """Return the scaffold that is left of a molecule when all but some atoms are cut off.

    Parameters
    ----------
    mol:
        The whole molecule; without coordinates a conformer is made.
    text:
        The heavy atoms that are kept, by numbers (from 1) or by a SMARTS.

    Raises
    ------
    InputError
        If the atoms are not in the molecule, are all of it, or have no bond to the others.
    """
    whole = _numbered([mol])
    if not whole.GetNumConformers():
        whole = _embedded(whole, seed)
    numbers = named(whole, text, first=False)
    heavy = {a.GetIntProp(NUMBER): a.GetIdx() for a in whole.GetAtoms() if a.GetAtomicNum() > 1}
    if unknown := [n for n in numbers if n not in heavy]:
        raise InputError(
            f"Atom {unknown[0]} is no heavy atom of the ligand.",
            fix=f"Name some of {ranges(heavy)}.",
        )
    kept = {heavy[n] for n in numbers}
    if len(kept) == len(heavy):
        raise InputError(
            "All atoms of the ligand are kept: nothing is left to replace.",
            fix="Keep fewer of them.",
        )
    for atom in list(kept):
        neighbours = whole.GetAtomWithIdx(atom).GetNeighbors()
        kept |= {a.GetIdx() for a in neighbours if a.GetAtomicNum() == 1}
    scaffold = _cut(whole, sorted(kept))
    if not scaffold.named:
        raise InputError(
            "The kept atoms have no bond to the rest of the ligand.",
            fix="Keep a part of one molecule.",
        )
    return scaffold


def _numbered(molecules: Iterable[Chem.Mol]) -> Chem.Mol:
    """The molecules as one: atoms with their numbers, hydrogens as atoms, kekulised."""
    together = Chem.Mol()
    for mol in molecules:
        together = Chem.CombineMols(together, mol) if together.GetNumAtoms() else Chem.Mol(mol)
    flat = together.GetNumConformers() and not together.GetConformer().Is3D()
    for number, atom in enumerate(together.GetAtoms(), start=1):
        atom.SetIntProp(NUMBER, number)
        if atom.GetAtomicNum() == 1 and together.GetNumConformers():
            atom.SetBoolProp(_GIVEN, True)
    if together.GetNumConformers() and all(a.GetAtomicNum() != 1 for a in together.GetAtoms()):
        for atom in together.GetAtoms():  # a file without any hydrogens leaves them out
            atom.SetNoImplicit(False)
    with quiet():
        together.UpdatePropertyCache(strict=False)
        try:
            Chem.SanitizeMol(together, _KEKULISED)
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f"The scaffold cannot be sanitised: {str(error).splitlines()[0]}.",
                fix="Check its bonds and charges.",
            ) from None
        if flat and not together.GetConformer().GetPositions()[:, 2].any():
            together.RemoveAllConformers()
        return Chem.AddHs(together, addCoords=bool(together.GetNumConformers()))


def _cut(whole: Chem.Mol, kept: Sequence[int]) -> Scaffold:
    """The scaffold of some atoms: every bond that is cut makes a point, filled with hydrogens."""
    inside, part = set(kept), Chem.RWMol(whole)
    opened: dict[int, int] = {}
    for bond in whole.GetBonds():
        ends = {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}
        if len(ends & inside) == 1:
            (atom,) = ends & inside
            opened[atom] = opened.get(atom, 0) + int(bond.GetBondTypeAsDouble())
    points = {}
    for index in inside:
        atom = part.GetAtomWithIdx(index)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(opened.get(index, 0))
        if index in opened:
            hydrogens = sum(a.GetAtomicNum() == 1 for a in atom.GetNeighbors())
            points[atom.GetIntProp(NUMBER)] = (hydrogens,)
    part.BeginBatchEdit()
    for index in range(whole.GetNumAtoms()):
        if index not in inside:
            part.RemoveAtom(index)
    part.CommitBatchEdit()
    if not any(whole.GetAtomWithIdx(i).GetAtomicNum() > 1 for i in inside):
        raise InputError("The scaffold has no heavy atoms.", fix="Give at least one to build on.")
    mol = hydrogens_last(place_hydrogens(part.GetMol()))
    for atom in mol.GetAtoms():
        atom.SetNumExplicitHs(0)
    empty = Scaffold(mol)
    place = {number: i for i, number in enumerate(empty.numbers)}
    return Scaffold(mol, {place[number]: allowed for number, allowed in points.items()})


def _embedded(mol: Chem.Mol, seed: int) -> Chem.Mol:
    """The scaffold with a conformer, relaxed with MMFF94 where that knows its atoms."""
    from rdkit.Chem import AllChem

    if len(Chem.GetMolFrags(mol)) > 1:
        raise InputError(
            "Fragments without coordinates have no poses.", fix="Give them in one frame, as SDF."
        )
    copy = Chem.Mol(mol)
    with quiet():
        Chem.SanitizeMol(copy)
        failed = AllChem.EmbedMolecule(copy, randomSeed=seed & 0x7FFFFFFF) != 0
        if not failed and AllChem.MMFFHasAllMoleculeParams(copy):
            AllChem.MMFFOptimizeMolecule(copy)
    if failed:
        raise InputError(
            "No conformer of the scaffold can be made.", fix="Give it with coordinates, as SDF."
        )
    posed = Chem.Mol(mol)
    # What a file can hold: otherwise the written molecule would differ from the scaffold.
    rounded = np.round(copy.GetConformer().GetPositions(), 4)
    conformer = Chem.Conformer(posed.GetNumAtoms())
    conformer.Set3D(True)
    conformer.SetPositions(np.ascontiguousarray(rounded))
    posed.AddConformer(conformer, assignId=True)
    return posed


def _check_apart(scaffold: Scaffold) -> None:
    x, piece = scaffold.positions[: scaffold.size], scaffold.fragments
    distance = np.linalg.norm(x[:, None] - x, axis=-1)
    near = np.argwhere((piece[:, None] != piece) & (distance < _APART))
    if len(near):
        i, j = (int(k) for k in near[0])
        raise InputError(
            f"Two fragments overlap: atoms {scaffold.numbers[i]} and {scaffold.numbers[j]} are "
            f"{distance[i, j]:.2f} Å apart.",
            fix="Give fragments in poses that exclude each other, in one frame.",
        )
