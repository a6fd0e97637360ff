"""Is the stereochemistry of a part, as its coordinates show it, that of a molecule which has it?

Hands and sides are compared by coordinates, not by labels: R and S depend on what is bonded
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet

__all__ = ["same_stereo"]

Array = npt.NDArray[np.float64]


def same_stereo(part: Chem.Mol, whole: Chem.Mol, match: Mapping[int, int]) -> bool | None:
    """Return whether all stereocentres and double bonds are the same; None if there are none.

    Parameters
    ----------
    part:
        With coordinates and, where it has them, hydrogens; kekulised or not.
    whole:
        With coordinates.
    match:
        Heavy atom of the part -> atom of the molecule.  Of the other neighbours of a centre, the
        one of the molecule stands for the one of the part.
    """
    signs = list(_signs(part, whole, match))
    return all(signs) if signs else None


def _signs(part: Chem.Mol, whole: Chem.Mol, match: Mapping[int, int]) -> Iterator[bool]:
    with quiet():
        perceived = Chem.Mol(part)
        Chem.SanitizeMol(perceived)
        Chem.AssignStereochemistryFrom3D(perceived)
        elements = list(Chem.FindPotentialStereo(perceived))
    old, new = (mol.GetConformer().GetPositions() for mol in (part, whole))
    for element in elements:
        if element.specified != Chem.StereoSpecified.Specified:
            continue
        about = [int(a) for a in element.controllingAtoms if a < part.GetNumAtoms()]
        if element.type == Chem.StereoType.Atom_Tetrahedral:
            centre = int(element.centeredOn)
            pairs = _pairs(whole, match, centre, about)[:3]
            if len(pairs) == 3:
                before, after = ([pair[k] for pair in pairs] for k in (0, 1))
                yield _hand(old, centre, before) == _hand(new, match[centre], after)
        elif element.type == Chem.StereoType.Bond_Double:
            bond = part.GetBondWithIdx(int(element.centeredOn))
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            sides = [
                _pairs(whole, match, end, [a for a in about if part.GetBondBetweenAtoms(end, a)])
                for end in ends
            ]
            if all(sides):
                (a, b), (c, d) = sides[0][0], sides[1][0]
                there = match[ends[0]], match[ends[1]]
                yield _one_side(old, ends, (a, c)) == _one_side(new, there, (b, d))


def _pairs(
    whole: Chem.Mol, match: Mapping[int, int], centre: int, about: list[int]
) -> list[tuple[int, int]]:
    """Neighbours of a centre in the part and in the molecule."""
    if centre not in match:
        return []
    neighbours = {a.GetIdx() for a in whole.GetAtomWithIdx(match[centre]).GetNeighbors()}
    pairs = [(a, match[a]) for a in about if a in match]
    left = [a for a in about if a not in match]
    others = sorted(neighbours - set(match.values()))
    return pairs + ([(left[0], others[0])] if len(left) == len(others) == 1 else [])


def _hand(x: Array, centre: int, atoms: list[int]) -> bool:
    a, b, c = (x[atom] - x[centre] for atom in atoms)
    return bool(np.dot(a, np.cross(b, c)) > 0)


def _one_side(x: Array, ends: tuple[int, int], atoms: tuple[int, int]) -> bool:
    """Whether two substituents of a double bond are on one side of it."""
    axis = x[ends[1]] - x[ends[0]]
    axis = axis / np.linalg.norm(axis)
    first, second = (x[atom] - x[end] for atom, end in zip(atoms, ends, strict=True))
    first, second = (v - np.dot(v, axis) * axis for v in (first, second))
    return bool(np.dot(first, second) > 0)
