"""Known poses in structure files: the molecule of the poses, or its skeleton."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem.rmsd import pose_rmsd
from moldiff.docking.known import known_pose
from moldiff.errors import InputError
from moldiff.protein.read import read_contents

With = Callable[..., Path]


def test_a_group_takes_its_bond_orders_from_the_poses(with_ligand: With, dex: Chem.Mol) -> None:
    structure = read_contents(with_ligand()).structure
    other = Chem.MolFromSmiles("c1ccccc1")
    known, members, notes = known_pose(structure, "A:301", [other, Chem.AddHs(dex)])
    assert Chem.MolToSmiles(known) == Chem.MolToSmiles(dex) and not notes
    assert pose_rmsd(dex, known) == pytest.approx(0, abs=1e-3)
    assert {structure.residues[i].name for i in members} == {"DEX"}


def test_without_the_same_molecule_it_is_a_skeleton(with_ligand: With, dex: Chem.Mol) -> None:
    structure = read_contents(with_ligand()).structure
    known, _, notes = known_pose(structure, "DEX", [Chem.MolFromSmiles("CCO")])
    assert (known.GetNumAtoms(), known.GetNumBonds()) == (dex.GetNumAtoms(), dex.GetNumBonds())
    assert "bond orders of A:301 DEX are unknown" in notes[0]


def test_a_file_of_its_own(with_ligand: With, dex: Chem.Mol, tmp_path: Path) -> None:
    structure = read_contents(with_ligand()).structure
    (tmp_path / "dex.pdb").write_text(Chem.MolToPDBBlock(dex), encoding="ascii")
    known, members, _ = known_pose(structure, str(tmp_path / "dex.pdb"), [dex])
    assert members == [] and Chem.MolToSmiles(known) == Chem.MolToSmiles(dex)
    x, y = (mol.GetConformer().GetPositions() for mol in (known, dex))
    np.testing.assert_allclose(x, y, atol=1e-3)


def test_what_is_no_known_pose(with_ligand: With) -> None:
    structure = read_contents(with_ligand()).structure
    with pytest.raises(InputError, match="no group 'Z:9' to be the 'reference'"):
        known_pose(structure, "Z:9", [])
    with pytest.raises(InputError, match="part of the receptor itself, no 'reference'"):
        known_pose(structure, "A:611", [])
    with pytest.raises(InputError, match=r"no\.sdf"):
        known_pose(structure, "no.sdf", [])
