"""Known poses for comparison: of molecule files, of structure files, of the receptor's own file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moldiff.docking.ligands import read_reference
from moldiff.docking.pocket_ligand import STRUCTURES, group_of_file, own_group

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.protein.structure import Structure

__all__ = ["known_pose", "molecule_of"]


def known_pose(
    structure: Structure, source: str, alike: Iterable[Chem.Mol], option: str = "--reference"
) -> tuple[Chem.Mol, list[int], tuple[str, ...]]:
    """Return the molecule that an option gives, its residues in the receptor, and notes.

    Parameters
    ----------
    structure:
        All that the receptor's file holds.
    source:
        A molecule file, a PDB or mmCIF file, or a group of the receptor: ``A:401``, ``LIG``.
    alike:
        Molecules that it may be the same as: the bond orders that structure files lack.

    Raises
    ------
    InputError
        It cannot be read, or is not there.
    """
    from moldiff.io import READABLE

    path = Path(source)
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    if suffixes & set(STRUCTURES) and path.is_file():
        other, members, notes = group_of_file(path)
        mol, remarks = molecule_of(other, members, alike)
        return mol, [], (*notes, *remarks)
    if path.is_file() or suffixes & {*READABLE, *STRUCTURES}:
        return read_reference(path, option), [], ()
    members, notes = own_group(structure, source, option)
    mol, remarks = molecule_of(structure, members, alike)
    return mol, members, (*notes, *remarks)


def molecule_of(
    structure: Structure, members: Sequence[int], alike: Iterable[Chem.Mol]
) -> tuple[Chem.Mol, tuple[str, ...]]:
    """Return residues of a structure as a molecule, and a note if its bond orders are unknown.

    Bonds come from distances, their orders from the first molecule that is alike.
    """
    from rdkit import Chem
    from rdkit.Chem import AllChem, rdDetermineBonds
    from rdkit.Geometry import Point3D

    from moldiff.chem.quiet import quiet

    atoms = np.flatnonzero(np.isin(structure.residue, list(members)))
    bare = Chem.RWMol()
    conformer = Chem.Conformer(len(atoms))
    for k, atom in enumerate(atoms.tolist()):
        bare.AddAtom(Chem.Atom(int(structure.numbers[atom])))
        conformer.SetAtomPosition(k, Point3D(*structure.positions[atom].astype(float)))
    conformer.Set3D(True)
    bare.AddConformer(conformer)
    name = ", ".join(str(structure.residues[i]) for i in members)
    with quiet():
        rdDetermineBonds.DetermineConnectivity(bare)
        for atom in bare.GetAtoms():
            atom.SetNoImplicit(False)
        bare.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(bare)
        for one in alike:
            template = Chem.RemoveHs(one, sanitize=False)
            if template.GetNumAtoms() != len(atoms):
                continue
            try:
                mol = AllChem.AssignBondOrdersFromTemplate(template, bare.GetMol())
                Chem.AssignStereochemistryFrom3D(mol)
            except (ValueError, RuntimeError):
                continue
            mol.SetProp("_Name", name)
            return mol, ()
    bare.SetProp("_Name", name)
    return bare.GetMol(), (f"the bond orders of {name} are unknown: no pose is the same molecule",)
