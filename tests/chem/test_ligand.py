"""Preparation of ligands as users give them."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

from moldiff.chem.ligand import Ligand, prepare_ligand
from moldiff.docking.ligands import stereo_notes
from tests.molecules import embedded


def raw(smiles):
    return Chem.MolFromSmiles(smiles, sanitize=False)


def smiles_of(ligand):
    return Chem.MolToSmiles(Chem.RemoveHs(ligand.mol))


def test_order_and_hydrogens_are_kept():
    mol = Chem.AddHs(Chem.MolFromSmiles("OCC"))
    ligand = prepare_ligand(mol)
    assert ligand.notes == ()
    assert ligand.mol.GetNumAtoms() == 9
    assert [a.GetSymbol() for a in ligand.mol.GetAtoms()][:3] == ["O", "C", "C"]


def test_the_largest_fragment_of_a_salt_is_kept_with_a_note():
    ligand = prepare_ligand(raw("[Na+].[O-]C(=O)c1ccccc1"))
    assert smiles_of(ligand) == "O=C([O-])c1ccccc1"
    assert "[Na+]" in ligand.notes[0]


def test_protonation_is_the_inputs_unless_a_ph_is_given():
    assert smiles_of(prepare_ligand(raw("NCC(=O)O"))) == "NCC(=O)O"
    assert smiles_of(prepare_ligand(raw("NCC(=O)O"), ph=7.4)) == "[NH3+]CC(=O)[O-]"
    with pytest.raises(ValueError, match=r"7\.4"):
        prepare_ligand(raw("CC"), ph=3.0)


@pytest.mark.parametrize(
    ("mol", "reason"),
    [
        (None, "empty"),
        (Chem.Mol(), "empty"),
        (raw("[H][H]"), "no heavy atoms"),
        (raw("C" * 101), "too large: 101"),
        (raw("C[Pt]C"), "unsupported element: Pt"),
        (raw("CC(C)(C)(C)C"), "sanitised"),
        (raw("c1cccc1"), "sanitised"),
    ],
)
def test_what_cannot_be_docked_gives_a_reason(mol, reason):
    result = prepare_ligand(mol)
    assert isinstance(result, str) and reason in result


def test_unspecified_stereo_is_noted():
    (note,) = stereo_notes(prepare_ligand(raw("CC(F)Cl")))
    assert "1 stereo centre or bond is unspecified" in note
    assert stereo_notes(prepare_ligand(raw("C[C@H](F)Cl"))) == ()


def test_stereo_comes_from_the_coordinates():
    mol = Chem.AddHs(Chem.MolFromSmiles("C[C@H](F)/C=C/Cl"))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    block = Chem.MolToMolBlock(mol)
    read = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
    assert smiles_of(prepare_ligand(read)) == Chem.CanonSmiles("C[C@H](F)/C=C/Cl")


def test_stereo_of_a_drawing_comes_from_its_wedges():
    mol = Chem.MolFromSmiles("C[C@H](F)/C=C/Cl")
    rdDepictor.Compute2DCoords(mol)
    read = Chem.MolFromMolBlock(Chem.MolToMolBlock(mol), sanitize=False, removeHs=False)
    assert smiles_of(prepare_ligand(read)) == Chem.CanonSmiles("C[C@H](F)/C=C/Cl")


def test_ammonium_without_its_charge_is_mended():
    assert smiles_of(prepare_ligand(raw("CN(C)(C)C"))) == "C[N+](C)(C)C"


def test_non_finite_coordinates_are_dropped_and_the_input_stays_as_it_was():
    mol = embedded("CCO", seed=1)
    mol.GetConformer().SetPositions(np.full((9, 3), np.nan))
    before = mol.ToBinary()
    ligand = prepare_ligand(mol, ph=7.4)
    assert isinstance(ligand, Ligand) and ligand.mol.GetNumConformers() == 0
    assert mol.ToBinary() == before
