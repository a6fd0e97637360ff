"""Fragments are counted as a chemist counts them."""

from __future__ import annotations

import pytest
from rdkit import Chem

from moldiff.chem.fragments import FRAGMENTS, count

# Drugs and solvents, with every fragment they have.
MOLECULES: dict[str, tuple[str, dict[str, int]]] = {
    "paracetamol": ("CC(=O)Nc1ccc(O)cc1", {"amide": 1, "phenol": 1, "benzene": 1}),
    "aspirin": ("CC(=O)Oc1ccccc1C(=O)O", {"ester": 1, "carboxylic_acid": 1, "benzene": 1}),
    "caprolactam": ("O=C1CCCCCN1", {"amide": 1}),
    "formanilide": ("O=CNc1ccccc1", {"amide": 1, "benzene": 1}),
    "urea": ("NC(=O)N", {"urea": 1}),
    "ethyl carbamate": ("NC(=O)OCC", {}),
    "sulfanilamide": ("Nc1ccc(cc1)S(N)(=O)=O", {"sulfonamide": 1, "benzene": 1}),
    "ethyl formate": ("O=COCC", {"ester": 1}),
    "acetophenone": ("CC(=O)c1ccccc1", {"ketone": 1, "benzene": 1}),
    "acetaldehyde": ("CC=O", {}),
    "anisole": ("COc1ccccc1", {"ether": 1, "benzene": 1}),
    "glycol": ("OCCO", {"alcohol": 2}),
    "nitrobenzonitrile": ("N#Cc1ccc([N+](=O)[O-])cc1", {"nitrile": 1, "nitro": 1, "benzene": 1}),
    "nicotine": (
        "CN1CCCC1c1cccnc1",
        {"basic_amines": 1, "tertiary_amine": 1, "pyrrolidine": 1, "pyridine": 1},
    ),
    "ethylenediamine": ("NCCN", {"basic_amines": 2, "primary_amine": 2}),
    "aniline": ("Nc1ccccc1", {"benzene": 1}),
    "hydrazine": ("CNNC", {}),
    "piperazine": ("C1CNCCN1", {"basic_amines": 2, "secondary_amine": 2, "piperazine": 1}),
    "morpholine": (
        "C1COCCN1",
        {"basic_amines": 1, "secondary_amine": 1, "morpholine": 1, "ether": 1},
    ),
    "piperidine amide": ("CC(=O)N1CCCCC1", {"amide": 1, "piperidine": 1}),
    "cyclopropylcyclohexane": ("C1CC1C1CCCCC1", {"cyclopropane": 1, "cyclohexane": 1}),
    "indole": ("c1ccc2[nH]ccc2c1", {"indole": 1, "benzene": 1, "pyrrole": 1}),
    "quinoline": ("c1ccc2ncccc2c1", {"quinoline": 1, "benzene": 1, "pyridine": 1}),
    "histamine": (
        "NCCc1c[nH]cn1",
        {"basic_amines": 1, "primary_amine": 1, "imidazole": 1},
    ),
    "1-methylpyrazole": ("Cn1cccn1", {"pyrazole": 1}),
    "pyrimidine": ("c1cncnc1", {"pyrimidine": 1}),
    "thiophene, furan": ("c1ccsc1-c1ccco1", {"thiophene": 1, "furan": 1}),
    "thiazole, oxazole": ("c1cscn1.c1cocn1", {"thiazole": 1, "oxazole": 1}),
}


@pytest.mark.parametrize("name", MOLECULES)
def test_every_fragment_of_a_molecule_one_knows(name: str) -> None:
    smiles, has = MOLECULES[name]
    mol = Chem.MolFromSmiles(smiles)
    counts = {fragment: count(mol, fragment) for fragment in FRAGMENTS}
    assert {fragment: number for fragment, number in counts.items() if number} == has


def test_every_fragment_is_seen() -> None:
    assert set(FRAGMENTS) == {fragment for _, has in MOLECULES.values() for fragment in has}
