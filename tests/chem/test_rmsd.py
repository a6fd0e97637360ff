"""The distance of poses: symmetry counts, bond orders and protonation do not."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem, rdMolAlign

from moldiff.chem.rmsd import pose_rmsd, pose_rmsds
from tests.molecules import embedded


def test_rmsd_knows_symmetry_but_not_superposition() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("Cc1ccc(cc1)C(=O)[O-]"))
    AllChem.EmbedMolecule(mol, randomSeed=3)
    crystal = Chem.RemoveHs(mol)
    x = crystal.GetConformer().GetPositions()
    pattern = Chem.MolFromSmarts("Cc1ccc(cc1)C(~O)~O")
    others = crystal.GetSubstructMatches(pattern, uniquify=False)
    assert len(others) == 4
    swapped = Chem.Mol(crystal)
    swapped.GetConformer().SetPositions(x[list(others[3])][np.argsort(others[0])])
    moved = Chem.Mol(crystal)
    moved.GetConformer().SetPositions(x + np.array([0.0, 3.0, 0.0]))
    found = pose_rmsds([swapped, moved], crystal)
    assert found is not None
    assert found == pytest.approx([0.0, 3.0], abs=1e-6)
    assert pose_rmsds([Chem.MolFromSmiles("CC")], crystal) is None


def test_symmetry_without_end_is_cut_short() -> None:
    """A molecule of very many symmetries is compared in seconds."""
    mol = Chem.MolFromSmiles("C(C(C(F)(F)F)(C(F)(F)F)C(F)(F)F)(C(C(F)(F)F)(C(F)(F)F)C(F)(F)F)O")
    AllChem.Compute2DCoords(mol)
    found = pose_rmsds([mol], mol)
    assert found is not None and found[0] == pytest.approx(0.0, abs=1e-6)


def test_distance_ignores_symmetry_and_protonation() -> None:
    a = embedded("[O-]C(=O)c1ccccc1")
    b = Chem.AddHs(Chem.MolFromSmiles("OC(=O)c1ccccc1"))
    order = a.GetSubstructMatch(Chem.MolFromSmarts("OC(=O)c1ccccc1"))
    x = a.GetConformer().GetPositions()[list(order)]
    heavy = Chem.RemoveHs(b)
    conformer = Chem.Conformer(heavy.GetNumAtoms())
    conformer.SetPositions(x[[2, 1, 0, *range(3, 9)]])  # the two oxygens exchanged
    heavy.AddConformer(conformer)
    assert pose_rmsd(a, heavy) == 0.0
    assert pose_rmsd(a, embedded("CCO")) is None


@pytest.mark.parametrize("smiles", ["OC(=O)c1ccc(cc1)C(F)(F)F", "CC(C)(C)c1ccccc1", "CCO", "O"])
def test_agrees_with_rdkit(smiles: str) -> None:
    mol = embedded(smiles)
    moved = Chem.Mol(mol)
    noise = np.random.default_rng(0).normal(size=(mol.GetNumAtoms(), 3))
    moved.GetConformer().SetPositions(mol.GetConformer().GetPositions() + noise)
    plain = [Chem.RemoveAllHs(m) for m in (moved, mol)]
    expected = rdMolAlign.CalcRMS(*plain)
    found = pose_rmsds([moved], mol)
    assert found is not None and found[0] <= expected + 1e-9  # bond orders are ignored
    if "=" not in smiles:
        assert found[0] == pytest.approx(expected)


def test_without_coordinates_there_is_no_distance() -> None:
    assert pose_rmsd(Chem.MolFromSmiles("CCO"), embedded("CCO")) is None
    assert pose_rmsd(None, embedded("CCO")) is None
