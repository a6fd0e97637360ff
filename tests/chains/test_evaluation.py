"""Backbones in anybody's files: their figures beside those of natives."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from moldiff.backbones.evaluation import evaluate_backbones
from moldiff.backbones.natives import FIGURES, natives, unlike
from moldiff.bundled import bundled_models
from moldiff.cli import main
from moldiff.errors import InputError
from moldiff.models import load
from moldiff.protein.backbone import Backbone
from tests.backbones import HELIX, backbone, of_torsions
from tests.proteins import pdb_lines

pytestmark = pytest.mark.skipif(
    "sequence" not in bundled_models(), reason="needs the model of sequences"
)


def helix(n: int) -> Backbone:
    return Backbone(of_torsions([HELIX] * n), np.zeros(n, np.int8), np.ones(n, bool))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A helix, a file of two chains of which one is too short, and one that is broken."""
    path = tmp_path / "structures"
    path.mkdir()
    (path / "helix.pdb").write_text(pdb_lines(helix(48)))
    short = backbone(8, seed=1)
    short = Backbone(short.atoms + 80, short.types, short.regular)
    two = pdb_lines(backbone(50)) + "TER\n" + pdb_lines(short, name="B")
    (path / "two.pdb").write_text(two)
    (path / "broken.pdb").write_text(pdb_lines(backbone(44), without=range(20, 24)))
    (path / "read.me").write_text("no structure")
    (path / "damaged.pdb").write_text("ATOM      1  N   GLY A   1      nowhere\n")
    return path


def test_a_folder_is_measured_and_what_cannot_be_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, table = tmp_path / "report.json", tmp_path / "figures.csv"
    line = ["evaluate", str(folder), "-o", str(report), "--table", str(table)]
    assert main(line) == 0
    shown = capsys.readouterr()
    assert "2 chains" in shown.out and "native-like, %" in shown.out
    told = " ".join(shown.err.split())
    assert f"Left out: {folder}/broken.pdb is broken" in told
    assert f"{folder}/damaged.pdb" in told  # and the others are measured
    assert f"Left out: {folder}/two.pdb:B has 8 residues, fewer than 20" in told
    found = json.loads(report.read_text())
    rows = list(csv.DictReader(table.open()))
    assert (
        [row["name"] for row in rows]
        == [f"{folder}/helix.pdb", f"{folder}/two.pdb:A"]
        == [row["name"] for row in found["chains"]]
    )
    assert rows[0]["structure"].strip("C").strip("H") == "" and rows[0]["residues"] == "48"
    assert float(rows[0]["helix"]) > 0.9
    # One long helix is too wide and meets nothing.
    assert {"contacts", "size"} <= set(rows[0]["unlike"].split())
    mean = np.mean([float(row["contacts"]) for row in rows])
    assert found["means"]["contacts"] == pytest.approx(mean, abs=1e-3)
    assert found["native_like"]["value"] == 0 and found["native_like"]["n"] == 2
    assert main(line) == 0  # its own files may be replaced
    table.write_text("mine\n")
    assert main(line) == 2


def test_bands_are_those_of_the_bundled_model_of_sequences() -> None:
    text = (resources.files("moldiff.backbones") / "natives.json").read_text(encoding="utf-8")
    assert json.loads(text)["sequences"] == load("sequence", domain="sequences").digest


def test_bands_hold_what_they_are_for() -> None:
    bands = natives()
    assert tuple(bands) == FIGURES
    assert all(low <= high for low, _, high in bands.values())
    typical = {name: (low + high) / 2 for name, (low, _, high) in bands.items()}
    assert unlike(typical, 60) == ()
    for name, (low, _, high) in bands.items():
        assert unlike(typical | {name: low - 0.01}, 60) == (name,)
        assert unlike(typical | {name: high + 0.01}, 60) == (name,)
    assert unlike(typical, 39) is None and unlike(typical, 81) is None


def test_what_is_no_backbone_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="is broken"):
        evaluate_backbones([folder / "broken.pdb"])
    molecules = tmp_path / "molecules.smi"
    molecules.write_text("CCO\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    for files, words in (
        ([folder / "helix.pdb", molecules], "molecules.smi is no protein structure"),
        ([empty], "holds no structures"),
        ([folder, "--xtb", "5"], "--xtb is about molecules"),
    ):
        assert main(["evaluate", *map(str, files)]) == 2
        assert words in capsys.readouterr().err
