"""A part is found in anybody's molecule by its graph and its coordinates, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.errors import InputError
from moldiff.metrics.evaluation import evaluate
from moldiff.metrics.kept import find, kept, part_of


def posed(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    return mol


def cut(mol: Chem.Mol, smarts: str) -> Chem.Mol:
    """The matched atoms, in their pose; hydrogens implicit."""
    match = mol.GetSubstructMatch(Chem.MolFromSmarts(smarts))
    part = Chem.RWMol(mol)
    part.BeginBatchEdit()
    for atom in mol.GetAtoms():
        if atom.GetIdx() not in match:
            part.RemoveAtom(atom.GetIdx())
    part.CommitBatchEdit()
    for atom in part.GetAtoms():
        atom.SetNumExplicitHs(0)
    return part.GetMol()


def shuffled(mol: Chem.Mol, seed: int = 0) -> Chem.Mol:
    order = np.random.default_rng(seed).permutation(mol.GetNumAtoms())
    return Chem.RenumberAtoms(mol, order.tolist())


def moved(mol: Chem.Mol, mirror: bool = False) -> Chem.Mol:
    """Turned by a right angle and shifted by 5 Å; or its mirror image."""
    copy = Chem.Mol(mol)
    x = copy.GetConformer().GetPositions()
    x = x * [1, 1, -1] if mirror else x[:, [1, 0, 2]] * [1, -1, 1] + 5
    copy.GetConformer().SetPositions(np.ascontiguousarray(x))
    return copy


def test_the_part_is_found_whatever_the_numbers_and_in_its_place() -> None:
    whole = posed("OC(=O)c1cnc2ccccc2c1")
    part = part_of([cut(whole, "c1ccc2ncccc2c1")])
    found = find(shuffled(whole), part)
    assert found is not None and found.rmsd is not None and found.displacement is not None
    assert found.rmsd < 1e-3 and found.displacement < 1e-3


def test_a_part_that_moved_keeps_its_shape_but_not_its_place() -> None:
    whole = posed("OC(=O)c1cnc2ccccc2c1")
    found = find(moved(whole), part_of([cut(whole, "c1ccc2ncccc2c1")]))
    assert found is not None and found.rmsd is not None and found.displacement is not None
    assert found.rmsd < 1e-3 and found.displacement > 1


def test_the_mirror_image_has_another_stereochemistry() -> None:
    whole = posed("C[C@](F)(Cl)CCc1ccccc1")
    part = part_of([cut(whole, "CC(F)(Cl)CC")])
    same, mirrored = find(whole, part), find(moved(whole, mirror=True), part)
    assert same is not None and same.stereo is True and same.rmsd is not None
    assert mirrored is not None and mirrored.stereo is False and mirrored.rmsd is not None
    assert same.rmsd < 1e-3 < 0.1 < mirrored.rmsd


@pytest.mark.parametrize("other", ["c1ccccc1CO", "C[n+]1ccccc1", "C1CCNCC1"])
def test_other_elements_charges_and_bonds_are_another_part(other: str) -> None:
    assert find(posed(other), part_of([Chem.MolFromSmiles("c1ccncc1")])) is None


def test_shares_are_of_all_molecules_and_of_those_with_the_part() -> None:
    whole = posed("Cc1ccncc1")
    part = part_of([cut(whole, "c1ccncc1")])
    values = kept([whole, moved(whole), posed("CCO"), None], part)
    assert values["part"].value == 0.5 and values["in_place"].value == 0.5
    assert values["rmsd"].value < 1e-3 and values["stereo"].reason is not None


def test_fragments_are_one_part_and_dummies_are_left_out() -> None:
    whole = posed("c1ccncc1CCC1CC1")
    two = [Chem.MolFromSmiles("c1ccncc1"), Chem.MolFromSmiles("[*]C1CC1")]
    found = find(whole, part_of(two))
    assert found is not None and len(found.atoms) == 9 and found.rmsd is None


def test_evaluate_reports_what_is_kept() -> None:
    whole = posed("Cc1ccncc1")
    report = evaluate(
        [whole, posed("CCO")],
        reference=None,
        posebusters=0,
        relax=0,
        xtb=0,
        part=[cut(whole, "c1ccncc1")],
    )
    assert report.kept["part"].value == 0.5 and report.kept_table() is not None
    assert report.to_dict()["kept"]["part"]["n"] == 2


def test_a_part_that_is_no_molecule_is_an_error() -> None:
    with pytest.raises(InputError, match="no molecule"):
        part_of([Chem.MolFromSmiles("[*][*]")])
