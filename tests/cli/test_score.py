"""``moldiff score``: files, what is said, and bad input as one clear line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.io import read_molecules

Run = Callable[..., Any]
COMPLEX = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
RECEPTOR = COMPLEX / "receptor.pdb"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    block = (COMPLEX / "ligand.sdf").read_text(encoding="utf-8")
    flat = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    (tmp_path / "poses.sdf").write_text(f"{block}{flat}$$$$\n")
    (tmp_path / "flat.sdf").write_text(f"{flat}$$$$\n")
    return tmp_path


def test_poses_table_and_page(run: Run, folder: Path) -> None:
    line = ("score", "poses.sdf", "-r", RECEPTOR, "--minimise", "--order", "energy")
    done = run(*line, "--reference", COMPLEX / "ligand.sdf")
    assert done.status == 0, done.err
    assert "1 of 2 records, not scored: no coordinates in three dimensions (1)" in done.out
    (pose,) = read_molecules(folder / "scored.sdf")
    assert float(pose.tags["energy_kcal_mol"]) < -11
    assert float(pose.tags["rmsd_to_reference"]) < 1
    rows = list(csv.DictReader((folder / "scored.csv").open()))
    assert [row["reason"] for row in rows] == ["", "no coordinates in three dimensions"]
    assert "GLN570" in (folder / "scored.html").read_text(encoding="utf-8")
    assert run(*line, "--no-html").status == 0, "its own files may be replaced"


def test_as_data(run: Run, folder: Path) -> None:
    done = run("score", "poses.sdf", "-r", RECEPTOR, "--json", "--no-html")
    assert done.status == 0, done.err
    data = json.loads(done.out)
    assert (data["records"], data["scored"]) == (2, 1)
    assert "histidines" in data["notes"][0]
    (pose,) = data["poses"]
    assert pose["energy_kcal_mol"] < -10 and pose["rightness"] > 0 and pose["checks"] == "passed"
    assert pose["rmsd_to_reference"] is None
    done = run("score", "poses.sdf", "-r", RECEPTOR, "-o", "-")
    assert done.out.count("$$$$") == 1 and "<energy_kcal_mol>" in done.out


def test_a_reference_that_is_another_molecule_is_told(run: Run, folder: Path) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    Chem.MolToMolFile(mol, str(folder / "other.sdf"))
    line = ("score", "poses.sdf", "-r", RECEPTOR, "--no-html", "--force", "--reference")
    assert "another molecule" in run(*line, "other.sdf").err
    assert "another molecule" not in run(*line, COMPLEX / "ligand.sdf").err


def test_nothing_scored_is_a_failure(run: Run, folder: Path) -> None:
    done = run("score", "flat.sdf", "-r", RECEPTOR, "-o", "none.sdf")
    assert done.status == 1
    assert "None of the 1 record" in done.err and "none.csv" in done.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("poses.sdf", "-r", "no.pdb"), ["no.pdb"]),
        (("no.sdf", "-r", RECEPTOR), ["no.sdf"]),
        ((RECEPTOR, "-r", RECEPTOR), ["receptor.pdb", "bond orders", ".sdf"]),
        (("poses.sdf", "-r", RECEPTOR, "--order", "cnn"), ["--cnn"]),
        (("poses.sdf", "-r", RECEPTOR, "-o", "poses.sdf"), ["overwrite"]),
        (("poses.sdf", "-r", RECEPTOR, "-o", "poses.csv"), ["'.csv'", ".sdf"]),
        (("poses.sdf", "-r", RECEPTOR, "--reference", "A:999"), ["A:999"]),
        (("poses.sdf", "-r", RECEPTOR, "--exclude", "HEM"), ["HEM"]),
    ],
)
def test_one_clear_line(run: Run, folder: Path, words: tuple[Any, ...], expected: Any) -> None:
    before = sorted(folder.rglob("*"))
    done = run("score", *words)
    lines = [line for line in done.err.splitlines() if line.startswith("Error:")]
    assert done.status == 2 and len(lines) == 1, done.err
    assert all(word in lines[0] for word in expected), lines
    assert sorted(folder.rglob("*")) == before
