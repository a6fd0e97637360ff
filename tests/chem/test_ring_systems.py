"""Ring systems of known molecules, however they are written."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem.ring_systems import ring_systems
from moldiff.chem.validity import sanitised

KNOWN = {
    "CCCC": (),
    "Cc1ccccc1": ("c1ccccc1",),
    "c1ccccc1-c1ccccn1": ("c1ccccc1", "c1ccncc1"),
    "CCc1ccccc1CCc1ccccc1": ("c1ccccc1",),
    "Cn1cccc1": ("c1cc[nH]c1",),
    "CN1CCCCC1": ("C1CCNCC1",),
    "C[n+]1ccccc1": ("c1cc[nH+]cc1",),
    "C[N+]1(C)CCCC1": ("C1CC[NH2+]C1",),
    "O=C1CCCCC1": ("*=C1CCCCC1",),
    "N=C1CCCCC1": ("*=C1CCCCC1",),
    "CC#CC1CC1": ("C1CC1",),
    "O=c1cccc[nH]1": ("*=c1cccc[nH]1",),
    "O=S1(=O)CCCC1": ("*=S1(=*)CCCC1",),
    "C1CCC2(CC1)CCNC2": ("C1CCC2(CC1)CCNC2",),
    "C1CC2CCC1C2": ("C1CC2CCC1C2",),
    "OC1CC2CCC1(F)C2": ("C1CC2CCC1C2",),
    "c1ccc2[nH]ccc2c1": ("c1ccc2[nH]ccc2c1",),
    "C[C@H]1CC[C@@H](F)CC1": ("C1CCCCC1",),
    "C1CC1=C1CCC1": ("*=C1CC1", "*=C1CCC1"),
    "[13CH2]1CC1": ("C1CC1",),
    "C[Si]1(C)CCCC1": ("C1CC[SiH2]C1",),
    "CP1(=O)OCCO1": ("*=[PH]1OCCO1",),
}


def canonical(*smiles: str) -> frozenset[str]:
    return frozenset(Chem.CanonSmiles(s) for s in smiles)


@pytest.mark.parametrize("smiles", KNOWN)
def test_known_systems(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    assert frozenset(map(Chem.CanonSmiles, ring_systems(mol))) == canonical(*KNOWN[smiles])
    assert ring_systems(mol) == ring_systems(Chem.AddHs(mol))


@pytest.mark.parametrize("smiles", KNOWN)
def test_neither_the_order_of_atoms_nor_the_kekule_structure_matters(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    expected, rng = ring_systems(mol), np.random.default_rng(0)
    for _ in range(10):
        other = Chem.RenumberAtoms(mol, rng.permutation(mol.GetNumAtoms()).tolist())
        assert ring_systems(other) == expected
        Chem.Kekulize(other, clearAromaticFlags=True)
        again = sanitised(other)
        assert again is not None and ring_systems(again) == expected


def test_the_same_system_in_different_molecules_has_one_smiles() -> None:
    systems = [ring_systems(Chem.MolFromSmiles(s)) for s in (
        "c1ccc2c(c1)ncn2C", "Clc1ccc2nc[nH]c2c1", "OCCn1cnc2cc(C(=O)N3CCOCC3)ccc12",
    )]  # fmt: skip
    (benzimidazole,) = systems[0]
    assert systems[1] == systems[0] and benzimidazole in systems[2] and len(systems[2]) == 2
    before = Chem.MolFromSmiles("CN1CCCC1=O")
    binary = before.ToBinary()
    ring_systems(before)
    assert before.ToBinary() == binary
