"""Protonation states at pH 7.4."""

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem.protonate import RULES, protonate

STATES = [
    ("acetic acid", "CC(=O)O", "CC(=O)[O-]"),
    ("thioacid", "CC(=O)S", "CC(=O)[S-]"),
    ("phosphonic acid", "CP(=O)(O)O", "CP(=O)([O-])[O-]"),
    ("phosphate diester", "COP(=O)(O)OC", "COP(=O)([O-])OC"),
    ("sulfonic acid", "CS(=O)(=O)O", "CS(=O)(=O)[O-]"),
    ("sulfinic acid", "CS(=O)O", "CS(=O)[O-]"),
    ("1H-tetrazole", "Cc1nnn[nH]1", "Cc1nnn[n-]1"),
    ("2H-tetrazole", "Cc1nn[nH]n1", "Cc1nn[n-]n1"),
    ("acylsulfonamide", "CC(=O)NS(C)(=O)=O", "CC(=O)[N-]S(C)(=O)=O"),
    ("guanidine", "CNC(=N)N", "CNC(N)=[NH2+]"),
    ("benzamidine", "N=C(N)c1ccccc1", "NC(=[NH2+])c1ccccc1"),
    ("formamidine", "CN=CN(C)C", "C[NH+]=CN(C)C"),
    ("isothiourea", "CSC(=N)N", "CSC(N)=[NH2+]"),
    ("primary amine", "CCN", "CC[NH3+]"),
    ("tertiary amine", "CCN(CC)CC", "CC[NH+](CC)CC"),
    ("piperidine", "C1CCCCN1", "C1CC[NH2+]CC1"),
    ("glycine", "NCC(=O)O", "[NH3+]CC(=O)[O-]"),
    ("phenylpiperazine", "c1ccccc1N1CCNCC1", "c1ccc(N2CC[NH2+]CC2)cc1"),
    ("quaternary", "C[N+](C)(C)CCO", "C[N+](C)(C)CCO"),
    ("carnitine", "C[N+](C)(C)CC(O)CC(=O)O", "C[N+](C)(C)CC(O)CC(=O)[O-]"),
]
UNCHANGED = [
    "CC(N)=O", "Nc1ccccc1", "CS(N)(=O)=O", "CS(=O)(=O)Nc1ccccc1", "c1ccncc1", "c1c[nH]cn1",
    "Oc1ccccc1", "CCS", "CC(=O)NN", "CNO", "NCC#N", "NCC(F)(F)F", "CC(=O)N=C(N)N",
    "Cc1ncn[nH]1", "C[N+](=O)[O-]", "CC(=O)NO", "N#CN=C(N)N", "CC(=O)OC", "O=C1CCCCN1",
]  # fmt: skip


def canonical(smiles):
    return Chem.CanonSmiles(smiles)


@pytest.mark.parametrize(
    ("smiles", "expected"), [pytest.param(*row[1:], id=row[0]) for row in STATES]
)
def test_groups_reach_their_state_from_either_side(smiles, expected):
    for start in (smiles, expected):
        assert Chem.MolToSmiles(protonate(Chem.MolFromSmiles(start))) == canonical(expected)


@pytest.mark.parametrize("smiles", UNCHANGED)
def test_weak_acids_and_bases_stay_neutral(smiles):
    assert Chem.MolToSmiles(protonate(Chem.MolFromSmiles(smiles))) == canonical(smiles)


@pytest.mark.parametrize("smiles", ["C[O-]", "[NH3+]c1ccccc1", "c1cc[nH+]cc1", "CC(=[OH+])N"])
def test_states_that_do_not_last_are_made_neutral(smiles):
    assert Chem.GetFormalCharge(protonate(Chem.MolFromSmiles(smiles))) == 0


def test_piperazine_takes_one_proton():
    assert Chem.GetFormalCharge(protonate(Chem.MolFromSmiles("C1CNCCN1C"))) == 1


@pytest.mark.parametrize("smiles", [row[1] for row in STATES] + ["NCCNCCN", "CN1CCN(CC1)CCN"])
def test_a_second_run_changes_nothing_and_the_order_of_atoms_is_no_matter(smiles):
    once = protonate(Chem.MolFromSmiles(smiles))
    assert Chem.MolToSmiles(protonate(once)) == Chem.MolToSmiles(once)
    mol = Chem.MolFromSmiles(smiles)
    order = np.random.default_rng(1).permutation(mol.GetNumAtoms()).tolist()
    assert Chem.MolToSmiles(protonate(Chem.RenumberAtoms(mol, order))) == Chem.MolToSmiles(once)


def test_explicit_hydrogens_stereo_and_coordinates():
    mol = Chem.AddHs(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))
    result = protonate(mol)
    assert Chem.MolToSmiles(result) == canonical("C[C@H]([NH3+])C(=O)[O-]")
    assert mol.GetNumAtoms() == 13 and Chem.GetFormalCharge(mol) == 0


def test_every_rule_is_a_pattern_that_some_example_needs():
    patterns = [Chem.MolFromSmarts(rule.smarts) for rule in RULES]
    assert all(patterns)
    starts = [Chem.MolFromSmiles(row[1]) for row in STATES]
    thiophosphate = Chem.MolFromSmiles("CP(=O)(S)OC")
    for rule, pattern in zip(RULES, patterns, strict=True):
        used = any(mol.HasSubstructMatch(pattern) for mol in [*starts, thiophosphate])
        assert used, rule.name
