"""Rotatable bonds of known molecules."""

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem.rotors import find_rotors, vina_torsion_count

KNOWN = [
    # name, SMILES, rotors, Vina's count
    ("methane", "C", 0, 0),
    ("zinc ion", "[Zn+2]", 0, 0),
    ("chloride", "[Cl-]", 0, 0),
    ("ethane", "CC", 0, 0),
    ("butane", "CCCC", 1, 1),
    ("ethanol", "CCO", 0, 0.5),
    ("methanol", "CO", 0, 0),
    ("aspirin", "CC(=O)Oc1ccccc1C(=O)O", 3, 3.5),
    ("ibuprofen", "CC(C)Cc1ccc(cc1)C(C)C(=O)[O-]", 4, 4),
    ("alanine dipeptide", "CC(=O)NC(C)C(=O)NC", 2, 2),
    ("primary amide", "NC(=O)c1ccccc1", 1, 1),
    ("symmetric tertiary amide", "CCN(CC)C(=O)c1ccccc1", 3, 3),
    ("tertiary amide", "CCN(C)C(=O)c1ccccc1", 2, 3),
    ("thioamide", "CCNC(=S)c1ccccc1", 2, 2),
    ("ester", "CCOC(=O)C", 2, 2),
    ("guanidine", "CCCNC(=N)N", 2, 2),
    ("biphenyl", "c1ccccc1-c1ccccc1", 1, 1),
    ("methylbenzene", "Cc1ccccc1", 0, 0),
    ("macrocycle", "C1CCCCCCCCCCC1CC", 1, 1),
    ("spiro", "C1CCC2(CC1)CCCC2", 0, 0),
    ("nitrile", "N#Cc1ccccc1", 0, 0),
    ("butyronitrile", "CCCC#N", 1, 1),
    ("diphenylacetylene", "c1ccccc1C#Cc1ccccc1", 1, 1),
    ("diphenylbutadiyne", "c1ccccc1C#CC#Cc1ccccc1", 1, 1),
    ("propynylbenzene", "CC#Cc1ccccc1", 0, 0),
    ("sulfonamide", "CNS(=O)(=O)c1ccccc1", 2, 2),
    ("primary sulfonamide", "NS(=O)(=O)c1ccccc1", 1, 1.5),
    ("phenylethylammonium", "[NH3+]CCc1ccccc1", 2, 2.5),
    ("stilbene", "c1ccccc1/C=C/c1ccccc1", 2, 2),
    ("trifluoromethyl", "FC(F)(F)c1ccccc1", 1, 1),
]


@pytest.mark.parametrize(
    ("smiles", "rotors", "vina"), [pytest.param(*row[1:], id=row[0]) for row in KNOWN]
)
def test_counts_of_known_molecules(smiles, rotors, vina):
    mol = Chem.MolFromSmiles(smiles)
    assert len(find_rotors(mol)) == rotors
    assert vina_torsion_count(mol) == vina
    full = Chem.AddHs(mol)
    assert len(find_rotors(full)) == rotors
    assert vina_torsion_count(full) == vina


BRANCHED = "CC(C)Cc1ccc(cc1)C(C)C(=O)NC(CC#CCCN)C(=O)Oc1ccc(-c2ccncc2)cc1"


def test_rotors_are_root_first_and_nested():
    mol = Chem.MolFromSmiles(BRANCHED)
    rotors = find_rotors(mol)
    for k, (a, b) in enumerate(rotors.axis):
        assert rotors.moves[k, b] and not rotors.moves[k, a]
        for j in range(k):
            inside = rotors.moves[k] & rotors.moves[j]
            assert not inside.any() or (inside == rotors.moves[k]).all()
        assert not any(
            (rotors.moves[k] & rotors.moves[j] == rotors.moves[j]).all() for j in range(k)
        )


def test_the_largest_fragment_never_moves():
    naphthyl = Chem.MolFromSmiles("CCCCc1ccc2ccccc2c1")
    rotors = find_rotors(naphthyl)
    aromatic = [a.GetIsAromatic() for a in naphthyl.GetAtoms()]
    assert len(rotors) == 3
    assert not rotors.moves[:, aromatic].any()


def test_dihedrals_turn_with_their_rotor_alone():
    rotors = find_rotors(Chem.MolFromSmiles(BRANCHED))
    for k, quad in enumerate(rotors.dihedral):
        assert len(set(quad.tolist())) == 4
        assert rotors.moves[k, quad].tolist() == [False, False, True, True]
        for j in set(range(len(rotors))) - {k}:
            assert rotors.moves[j, quad].sum() in (0, 1, 3, 4)


def test_atoms_may_be_given_in_any_order():
    mol = Chem.MolFromSmiles(BRANCHED.replace("C#C", "CC"))
    order = np.random.default_rng(0).permutation(mol.GetNumAtoms())
    plain, shuffled = find_rotors(mol), find_rotors(mol, order)
    assert {frozenset(pair) for pair in order[shuffled.axis].tolist()} == {
        frozenset(pair) for pair in plain.axis.tolist()
    }


def test_fragments_cover_the_atoms_and_hold_the_axes():
    mol = Chem.MolFromSmiles("CCCCc1ccc2ccccc2c1")
    rotors = find_rotors(mol)
    fragments = [set(f.tolist()) for f in rotors.fragments()]
    assert set.union(*fragments) == set(range(mol.GetNumAtoms()))
    assert len(fragments) == len(rotors) + 1
    for a, b in rotors.axis.tolist():
        assert sum({a, b} <= f for f in fragments) == 2
