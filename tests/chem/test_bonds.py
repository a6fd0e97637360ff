"""Bonds from coordinates alone are those that the coordinates were made of."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem import canonical_smiles, strict_failure
from moldiff.chem.bonds import infer_bonds
from tests.molecules import embedded


def bare(smiles: str) -> Chem.Mol:
    """Elements and coordinates of a relaxed molecule, and no more."""
    mol = embedded(smiles)
    if AllChem.MMFFHasAllMoleculeParams(mol):
        AllChem.MMFFOptimizeMolecule(mol, maxIters=2000)
    atoms = Chem.RWMol()
    for atom in mol.GetAtoms():
        atoms.AddAtom(Chem.Atom(atom.GetAtomicNum()))
    atoms.AddConformer(mol.GetConformer())
    return atoms.GetMol()


@pytest.mark.parametrize(
    "smiles",
    [
        "CC1C2CC1C2N1CC1",  # cages: atoms that are not bonded are near
        "C1CC23CC4C2C1C43",
        "CC12OC3C1OC(=N)C32",
        "C1=CC=C1",
        "C[N+](=O)[O-]",
        "COc1ccc(C(=O)Nc2cc([N+](=O)[O-])ccc2N2CCN(C)CC2)cc1",  # RDKit finds no charges
        "CS(C)=O",
        "CCc1nnsc1C(=O)NCC",  # RDKit prefers S+=C-O-
        "Cn1c(SCC(=O)N)nc2ccccc2c1=O",
        "[C-]#[N+]C",
        "CN=[N+]=[N-]",
        "C=[N+](C)[O-]",
        "[O-][n+]1ccccc1",
        "[NH3+]CC(=O)[O-]",
        "CP(=O)(O)O",
        "FS(F)(F)(F)(F)F",
        "[H][H]",
        "O=C=O",
        "O",
    ],
)
def test_neutral_molecules(smiles: str) -> None:
    mol = bare(smiles)
    before = mol.ToBinary()
    found = infer_bonds(mol)
    assert not isinstance(found, str) and canonical_smiles(found) == Chem.CanonSmiles(smiles)
    assert strict_failure(found) is None and mol.ToBinary() == before


@pytest.mark.parametrize(
    ("smiles", "charge"),
    [("[NH4+]", 1), ("CC(=O)[O-]", -1), ("C[N+](C)(C)C", 1), ("[O-]C(=O)C(=O)[O-]", -2)],
)
def test_ions(smiles: str, charge: int) -> None:
    found = infer_bonds(bare(smiles), charge)
    assert not isinstance(found, str) and canonical_smiles(found) == Chem.CanonSmiles(smiles)
    if abs(charge) == 1:
        free = infer_bonds(bare(smiles), None)
        assert not isinstance(free, str) and Chem.GetFormalCharge(free) == charge
        assert "odd number of electrons" in str(infer_bonds(bare(smiles), 0))


def test_reasons() -> None:
    ethanol = bare("CCO")
    ethanol.GetConformer().SetAtomPosition(1, ethanol.GetConformer().GetAtomPosition(0))
    assert str(infer_bonds(ethanol)) == "overlapping atoms: C1 and C2 are 0.00 Å apart"
    ethanol.GetConformer().SetAtomPosition(1, [np.nan, 0.0, 0.0])
    assert infer_bonds(ethanol) == "non-finite coordinates"
    assert str(infer_bonds(bare("[CH3]"))).startswith("bonds cannot be inferred: an odd number")


def skeleton(smiles: str) -> Chem.Mol:
    mol = Chem.RWMol(bare(smiles))
    for k in reversed(range(mol.GetNumAtoms())):
        if mol.GetAtomWithIdx(k).GetAtomicNum() == 1:
            mol.RemoveAtom(k)
    return mol.GetMol()


def test_hydrogens_that_are_lacking_are_not_made_up_for() -> None:
    for smiles in ("c1ccccc1", "C1CCCCC1", "CCO", "CC(=O)Nc1ccc(O)cc1"):
        assert infer_bonds(skeleton(smiles)) == "missing hydrogens: there is none"
    for smiles in ("N#CC#N", "FC(F)=C(F)F", "Fc1c(F)c(F)c(F)c(F)c1F", "ClC(Cl)(Cl)Cl"):
        found = infer_bonds(skeleton(smiles))
        assert not isinstance(found, str)
        assert canonical_smiles(found) == Chem.CanonSmiles(smiles)


def test_a_single_atom_has_the_charge_of_the_whole() -> None:
    found = infer_bonds(bare("[Na+]"), 1)
    assert not isinstance(found, str) and found.GetAtomWithIdx(0).GetFormalCharge() == 1


def test_isotopes_stay() -> None:
    water = bare("O")
    water.GetAtomWithIdx(1).SetIsotope(2)
    found = infer_bonds(water)
    assert not isinstance(found, str) and found.GetAtomWithIdx(1).GetIsotope() == 2
