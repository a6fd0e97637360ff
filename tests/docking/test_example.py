"""The README's example of a docking: a real ligand into a real structure."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import rdMolAlign
from typer.testing import CliRunner

from moldiff.cli import app

ROOT = Path(__file__).parents[2]


@pytest.mark.thorough
def test_the_first_pose_is_the_crystals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^moldiff (dock --receptor datasets/docking/.*?[^\\])$", text, re.M | re.S)
    assert found is not None
    command = shlex.split(found[1].replace("\\\n", " "))
    output = tmp_path / command[command.index("-o") + 1]
    command[command.index("-o") + 1] = str(output)
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    pose = Chem.RemoveHs(next(iter(Chem.SDMolSupplier(str(output)))))
    crystal = Chem.MolFromMolFile(str(ROOT / "datasets/docking/1m2z/ligand.sdf"))
    assert rdMolAlign.CalcRMS(pose, crystal) < 1.0  # Å, no alignment
