"""What marks the pocket: a molecule file, a structure file, or a group of the receptor's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moldiff.docking.ligands import read_reference
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.protein.read import Contents
    from moldiff.protein.structure import Structure

__all__ = ["STRUCTURES", "Marker", "find_marker", "group_of_file", "own_group"]

_OPTION = "--pocket-ligand"
#: Suffixes of structure files, which hold no bond orders.
STRUCTURES = (".pdb", ".ent", ".cif", ".mmcif", ".pdbqt")
_FAR = 6.0  # Å: a pocket's ligand farther than this from every receptor atom is in another frame
_LARGEST = 400  # heavy atoms of a ligand; beyond, a structure file holds something else


@dataclass(frozen=True, eq=False)
class Marker:
    """The molecule that marks the pocket.

    Attributes
    ----------
    positions:
        (n, 3) of its heavy atoms in Å.
    leave:
        Residue of the receptor -> why it is no part of the receptor.
    notes:
        What was chosen, a sentence each.
    """

    positions: npt.NDArray[np.float64]
    leave: dict[int, str]
    notes: tuple[str, ...] = ()


def find_marker(contents: Contents, source: str | Path) -> Marker:
    """Find the molecule that ``--pocket-ligand`` gives: a file, or a group of the receptor.

    Raises
    ------
    InputError
        It cannot be read, is not there, holds several molecules, or lies elsewhere.
    """
    from moldiff.io import READABLE
    from moldiff.protein.occupants import on

    path = Path(source)
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    if not suffixes & {*READABLE, *STRUCTURES} and not path.is_file():
        return _own_marker(contents.structure, str(source))
    if not path.is_file():
        raise InputError(f"There is no file {path}.", fix=f"Check the path after {_OPTION}.")
    notes: tuple[str, ...] = ()
    if suffixes & set(STRUCTURES):
        structure, chosen, notes = group_of_file(path)
        positions = structure.positions[np.isin(structure.residue, chosen)].astype(np.float64)
    else:
        mol = read_reference(path, _OPTION)
        heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
        positions = np.asarray(mol.GetConformer().GetPositions(), dtype=np.float64)[heavy]
    if not len(positions) or not np.isfinite(positions).all():
        raise InputError(
            f"The pocket's ligand {path} has no usable coordinates.", fix="Give another file."
        )
    _check_near(contents, positions, path)
    why = f"the pocket's ligand {path.name} lies on it"
    return Marker(positions, dict.fromkeys(on(contents.structure, positions), why), notes)


def _own_marker(structure: Structure, text: str) -> Marker:
    """A group of the receptor's own file, which is left out unless it is a metal."""
    members, notes = own_group(structure, text)
    atoms = np.isin(structure.residue, members)
    metal = all(structure.residues[i].kind == "metal" for i in members)
    leave = {} if metal else dict.fromkeys(members, "it marks the pocket")
    return Marker(structure.positions[atoms].astype(np.float64), leave, notes)


def own_group(
    structure: Structure, text: str, option: str = _OPTION
) -> tuple[list[int], tuple[str, ...]]:
    """Return a group of the receptor's own file, or a short chain, and notes on the choice.

    The first of several of one name is taken.

    Raises
    ------
    InputError
        It is not there, or it is a part of the receptor itself.
    """
    from moldiff.protein.occupants import chains_of, molecules
    from moldiff.protein.selection import place, select
    from moldiff.protein.structure import POLYMERS

    members = select(structure.residues, text, f"be the {option}, and no such file")
    notes: tuple[str, ...] = ()
    kinds = {i: structure.residues[i].kind for i in members}
    groups = [i for i in members if kinds[i] == "cofactor"]
    groups = groups or [i for i in members if kinds[i] not in POLYMERS]
    peptide = next((chain for chain in chains_of(structure) if set(members) & set(chain)), None)
    if not groups and peptide is None:
        pocket = option == _OPTION
        raise InputError(
            f"{structure.residues[members[0]]} is a part of the receptor itself, no {option}.",
            fix="For a pocket between residues: --residues A:123,A:145."
            if pocket
            else "Name a ligand of the file, or give a file.",
        )
    if peptide is not None and (not groups or text.strip().endswith(":")):
        return peptide, notes
    first, *others = groups
    # All that is bonded to it is the same molecule: the rings of a saccharide.
    members = next((whole for whole in molecules(structure) if first in whole), [first])
    others = [i for i in others if i not in members]
    if others:
        chosen, *places = (place(structure.residues[i]) for i in [first, *others[:5]])
        what = "marks the pocket" if option == _OPTION else f"is the {option}"
        notes = (
            f"{text} is there {len(others) + 1} times, {chosen} {what}; others, for "
            f"{option}: {', '.join(places)}",
        )
    return members, notes


def group_of_file(path: Path) -> tuple[Structure, list[int], tuple[str, ...]]:
    """Return a structure file, the residues of its one ligand, and notes on the choice.

    Raises
    ------
    InputError
        The file cannot be read, or what is in it is too large for a ligand.
    """
    from moldiff.protein.read import read_contents

    structure = read_contents(path).structure
    notes = tuple(f"{path.name}: {note}" for note in structure.notes if note.startswith("model"))
    groups = [i for i, residue in enumerate(structure.residues) if residue.kind == "cofactor"]
    polymer = [i for i, r in enumerate(structure.residues) if r.kind in ("protein", "nucleic")]
    if len(groups) > 1 and polymer:
        groups = _largest(structure, groups)
    chosen = groups or polymer or list(range(len(structure.residues)))
    atoms = np.isin(structure.residue, chosen)
    if atoms.sum() > _LARGEST:
        raise InputError(
            f"{path} holds {int(atoms.sum())} heavy atoms, too many for a {_OPTION}.",
            fix=f"Give a file of the ligand alone, or name it in the receptor: {_OPTION} A:401.",
        )
    if len(chosen) < len(structure.residues):
        what = ", ".join(str(structure.residues[i]) for i in chosen)
        notes = (*notes, f"of {path.name} {what} is taken")
    return structure, chosen, notes


def _largest(structure: Structure, groups: list[int]) -> list[int]:
    """The largest of several groups beside a polymer."""
    size = np.bincount(structure.residue)
    return [max(groups, key=lambda i: (int(size[i]), -i))]


def _check_near(contents: Contents, reference: npt.NDArray[np.float64], ligand: Path) -> None:
    from scipy.spatial import cKDTree

    far, _ = cKDTree(contents.structure.positions).query(reference)
    if far.min() > _FAR:
        raise InputError(
            f"The pocket's ligand {ligand} is {far.min():.0f} Å away from every atom of "
            f"{contents.path}.",
            fix="Give a ligand in the frame of this receptor, or --center or --residues.",
        )
