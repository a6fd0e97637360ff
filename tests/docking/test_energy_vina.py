"""The energy is Vina's: every term, against the vina package and against values it printed."""

import csv
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.chem.rotors import find_rotors
from moldiff.docking.energy.exact import affinity
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor
from tests.docking.vina_reference import our_scores, vina_scores

SYNTHETIC = Path(__file__).parents[1] / "data" / "dock" / "synthetic_complexes.json"
SETS = ("train_pdbbind_onufriev", "train_pdbbind_nb", "train_dsdp", "train_pdbmisc")
TOLERANCE = 1e-3


def synthetic(record):
    """Ligand, rotors and receptor of isolated atoms around it."""
    mol = Chem.MolFromMolBlock(record["ligand"])
    rows = record["receptor"]
    numbers = np.array([row["number"] for row in rows])
    donors = [i for i, row in enumerate(rows) if row["hydrogen"] is not None]
    residue = SimpleNamespace(chain="A", number=1, insertion="", name="UNK", kind="protein")
    metal = numbers == 30
    receptor = SimpleNamespace(
        structure=SimpleNamespace(
            positions=np.array([row["position"] for row in rows], dtype=np.float32),
            numbers=numbers,
            names=["X"] * len(rows),
            residue=np.zeros(len(rows), dtype=int),
            residues=[residue],
        ),
        donor=np.isin(np.arange(len(rows)), donors) | metal,
        acceptor=np.array([row["acceptor"] for row in rows]),
        hydrophobic=numbers == 6,
        metal=metal,
        hydrogens=np.array([rows[i]["hydrogen"] for i in donors], dtype=np.float32),
        hydrogen_parent=np.array(donors),
    )
    return mol, find_rotors(mol), receptor


RECORDS = {r["name"]: r for r in json.loads(SYNTHETIC.read_text())} if SYNTHETIC.exists() else {}


def assert_equal(ours, theirs, torsions):
    for name, (inter, intra) in ours.items():
        assert inter == pytest.approx(theirs[name][0], abs=TOLERANCE), name
        assert intra == pytest.approx(theirs[name][1], abs=TOLERANCE), name
        total = theirs[name][2]
        assert float(
            affinity(torch.tensor([inter], dtype=torch.float64), torsions)
        ) == pytest.approx(total, abs=TOLERANCE), name


@pytest.mark.parametrize("name", RECORDS)
def test_every_term_is_what_vina_printed(name):
    record = RECORDS[name]
    mol, rotors, receptor = synthetic(record)
    assert_equal(our_scores(mol, rotors, receptor), record["vina"], len(rotors))
    assert min(v[0] for v in record["vina"].values()) < -1  # the terms are there


def test_every_term_is_what_vina_computes(tmp_path):
    pytest.importorskip("vina", reason="the vina package (extra 'dock') is not installed")
    for record in RECORDS.values():
        mol, rotors, receptor = synthetic(record)
        theirs = vina_scores(mol, rotors, receptor, tmp_path)
        assert_equal(our_scores(mol, rotors, receptor), theirs, len(rotors))


def real_complexes(count):
    """Folders of training complexes, evenly over the sets; empty where there are none."""
    root = Path(os.environ.get("MOLDIFF_COMPLEXES", ""))
    if not os.environ.get("MOLDIFF_COMPLEXES") or not root.is_dir():
        root = Path(__file__).parents[3] / "shared" / "data" / "complexes"
    folders = []
    for name in SETS:
        index = root / name / "index.csv"
        if index.exists():
            with index.open() as stream:
                rows = [r["id"] for r in csv.DictReader(stream) if int(r["n_heavy"]) <= 45]
            folders += [root / name / i for i in rows[:: max(1, len(rows) // (count // 4))]]
    return folders


@pytest.mark.slow
def test_every_term_of_fifty_real_complexes_is_what_vina_computes(tmp_path):
    pytest.importorskip("vina", reason="the vina package (extra 'dock') is not installed")
    folders = real_complexes(64)
    if not folders:
        pytest.skip("no real complexes: set MOLDIFF_COMPLEXES to a folder of training sets")
    compared, worst = 0, 0.0
    for folder in folders:
        mol = Chem.MolFromMolFile(str(folder / "ligand.sdf"))
        if mol is None or any(a.GetAtomicNum() == 5 for a in mol.GetAtoms()):
            continue
        rotors = find_rotors(mol)
        receptor = prepare_receptor(read_structure(folder / "pocket.pdb"))
        ours = our_scores(mol, rotors, receptor)
        theirs = vina_scores(mol, rotors, receptor, tmp_path)
        compared += 1
        off = max(abs(a - b) for k in ours for a, b in zip(ours[k], theirs[k], strict=False))
        worst = max(worst, off)
        print(folder.name, mol.GetNumAtoms(), len(rotors), f"{off:.5f}", flush=True)
        assert_equal(ours, theirs, len(rotors))
    assert compared >= 50
    print(f"{compared} complexes, largest difference of a term {worst:.1e} kcal/mol")
