"""The README's example of a docking: a real ligand into a real structure."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import rdMolAlign
from typer.testing import CliRunner

from moldiff.cli import app
from moldiff.io import read_molecules

ROOT = Path(__file__).parents[2]


STEROIDS = """smiles,name
CC(=O)Nc1ccc(O)cc1,paracetamol
CC(=O)[C@H]1CC[C@@H]2[C@@]1(CC[C@H]3[C@H]2CCC4=CC(=O)CC[C@]34C)C,progesterone
CN1C=NC2=C1C(=O)N(C(=O)N2C)C,caffeine
"""


def lines(start: str) -> list[list[str]]:
    """The commands of the README that begin with some words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(rf"^moldiff ({re.escape(start)}.*)$", text, re.M)
    return [shlex.split(line.replace("datasets/", f"{ROOT}/datasets/")) for line in found]


@pytest.mark.thorough
def test_the_first_pose_is_the_crystals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, _ = lines("dock --receptor datasets/docking/")
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    pose = Chem.RemoveHs(next(iter(Chem.SDMolSupplier(command[command.index("-o") + 1]))))
    crystal = Chem.MolFromMolFile(str(ROOT / "datasets/docking/1m2z/ligand.sdf"))
    assert rdMolAlign.CalcRMS(pose, crystal) < 1.0  # Å, no alignment


@pytest.mark.thorough
def test_a_library_is_ranked_and_filtered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "library.csv").write_text(STEROIDS)
    _, dock = lines("dock --receptor datasets/docking/")
    (choose,) = lines("filter hits.sdf")
    for command in (dock, choose):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    with Path("hits.csv").open(encoding="utf-8") as stream:
        hits = list(csv.DictReader(stream))
    assert hits[0]["name"] == "progesterone" and len(hits) == 3, "the one that the pocket is for"
    bound = [row["name"] for row in hits if "ARG611" in row["hbond"]]
    assert bound and [record.name for record in read_molecules("chosen.sdf")] == bound
