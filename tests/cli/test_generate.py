"""``moldiff generate``: formats, provenance, options, and the whole chain behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

import moldiff
from moldiff.io import read_molecules
from moldiff.metrics import evaluation

Run = Callable[..., Any]


def test_generate_evaluate_view_info(run: Run, model_file: Path, tmp_path: Path) -> None:
    sdf, frames = tmp_path / "out.sdf", tmp_path / "frames.xyz"
    made = run("generate", "-n", 5, "--model", model_file, "-o", sdf, "--trajectory", frames)
    assert made.status == 0, made.err
    assert "strictly valid" in made.out and str(sdf) in made.out and "molecules/s" in made.out
    records = list(read_molecules(sdf))
    assert len(records) == 5
    for record in records:
        assert record.mol is not None and record.mol.GetConformer().Is3D()
        assert record.tags["moldiff_version"] == moldiff.__version__
        assert record.tags["seed"] == "0"
        assert record.tags["model"].startswith("tiny ")
        assert record.tags["strictly_valid"] in ("yes", "no")

    report = tmp_path / "report.json"
    skip = ("--posebusters", 0, "--relax", 2, "--xtb", 1, "--reference", "none", "--bands", "1-30")
    figures = tmp_path / "the figures.csv"
    judged = run("evaluate", sdf, "-o", report, "--table", figures, *skip)
    assert judged.status == 0, judged.err
    assert f"moldiff view {sdf} --figures '{figures}'" in " ".join(judged.err.split())
    told = json.loads(report.read_text())
    assert told["n"] == told["bands"]["1-30"]["n"] == 5
    assert "strictly valid" in judged.out and "1-30" in judged.out

    measured = run("evaluate", sdf, "--table", figures, *skip, "--json")
    assert measured.status == 0 and figures.read_text().count("\n") == 6, measured.err

    page = tmp_path / "out.html"
    shown = run("view", sdf, "--trajectory", frames, "--figures", figures, "--highlight", "C")
    assert shown.status == 0, shown.err
    assert str(page) in shown.out and "<html" in page.read_text()
    assert '"predicted":' in page.read_text() and '"copies":' in page.read_text()

    gif, strip = tmp_path / "t.gif", tmp_path / "t.png"
    for words in ((frames, "--gif", gif), (sdf, "--trajectory", frames, "--strip", strip)):
        for _ in range(2):  # what it made, it replaces
            painted = run("view", *words)
            assert painted.status == 0 and "frames" in painted.out, painted.err
    assert gif.read_bytes()[:6] == b"GIF89a" and strip.read_bytes()[1:4] == b"PNG"
    foreign = tmp_path / "foreign.gif"
    foreign.write_bytes(b"GIF89a of somebody else")
    refused = run("view", frames, "--gif", foreign)
    assert refused.status == 2 and foreign.read_bytes().endswith(b"else")

    card = run("info", model_file)
    assert card.status == 0, card.err
    for word in ("tiny", "H, C, N, O", "transformer", "training.molecules", "parameters", "hash"):
        assert word in card.out


def test_same_seed_same_file(run: Run, model_file: Path, tmp_path: Path) -> None:
    texts = []
    for k, seed in enumerate((3, 3, 4)):
        path = tmp_path / f"{k}.sdf"
        done = run("generate", "-n", 3, "--seed", seed, "--model", model_file, "-o", path)
        assert done.status == 0, done.err
        texts.append([line for line in path.read_text().splitlines() if "RDKit" not in line])
    assert texts[0] == texts[1] != texts[2]


def test_another_type_of_products_is_said_and_recorded(
    run: Run, model_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.sdf"
    command = ("generate", "-n", 2, "--steps", 2, "--model", model_file, "-o", path)
    usual = run(*command)
    assert usual.status == 0 and "bfloat16" not in usual.out + path.read_text()
    lower = run(*command, "--precision", "bfloat16")
    assert lower.status == 0 and "bfloat16" in lower.out
    assert [r.tags["precision"] for r in read_molecules(path)] == ["bfloat16"] * 2
    assert run(*command, "--precision", "auto").status == 0


@pytest.mark.parametrize("suffix", ["smi", "xyz", "json"])
def test_formats(run: Run, model_file: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    assert run("generate", "-n", 2, "--steps", 2, "--model", model_file, "-o", path).status == 0
    assert path.stat().st_size > 0


def test_the_default_output_is_named(
    run: Run, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("generate", "-n", 1, "--steps", 1, "--model", model_file)
    assert done.status == 0 and "molecules.sdf" in done.out
    assert (tmp_path / "molecules.sdf").is_file()


def test_size_and_formula(run: Run, model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.sdf"
    options = ("-n", 2, "--steps", 2, "--model", model_file, "-o", path)
    assert run("generate", *options, "--size", 8).status == 0
    assert {record.mol.GetNumAtoms() for record in read_molecules(path)} == {8}
    assert run("generate", *options, "--formula", "C2H6O").status == 0
    for record in read_molecules(path):
        symbols = sorted(atom.GetSymbol() for atom in record.mol.GetAtoms())
        assert symbols == ["C"] * 2 + ["H"] * 6 + ["O"]


def test_a_filter_that_cannot_be_met_says_so(run: Run, model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.sdf"
    done = run(
        "generate", "-n", 2, "--steps", 1, "--size", 12, "--filter", "strict",
        "--model", model_file, "-o", path,
    )  # fmt: skip
    assert done.status == 1
    assert "strictly valid" in done.err and "Use a better model" in done.err
    assert not path.exists()


def test_python_interface(model_file: Path) -> None:
    model = moldiff.load(model_file)
    molecules = moldiff.generate(2, model=model, seed=1, steps=2, record=1)
    assert [len(item.frames) for item in molecules] == [3, 0]
    assert all(isinstance(item.mol, Chem.Mol) for item in molecules)
    with pytest.raises(TypeError, match="colour"):
        moldiff.generate(1, model=model, colour="red")  # type: ignore[call-arg]
    assert moldiff.evaluate is evaluation.evaluate
    report = moldiff.evaluate(
        [item.mol for item in molecules], reference=None, posebusters=0, relax=0, xtb=0
    )
    assert report.n == 2


@pytest.mark.parametrize("early", [{"bonds": 6.0}, {"bonds": 6.0, "types": 2.5}, 3.0])
def test_early_temperatures(
    run: Run, model_file: Path, tmp_path: Path, early: float | dict[str, float]
) -> None:
    path = tmp_path / "hot.sdf"
    by_field = early.items() if isinstance(early, dict) else ()
    text = ",".join(f"{field}={value}" for field, value in by_field) or str(early)
    options = ("--early-temperature", text, "--valence", 0.5, "--model", model_file)
    done = run("generate", "-n", 1, *options, "-o", path)
    assert done.status == 0, done.err
    (record,) = read_molecules(path)
    sampling = json.loads(record.tags["sampling"])
    assert sampling["early_temperature"] == early and sampling["valence"] == 0.5


def test_without_a_name_the_drug_like_model_is_meant_but_for_formulas(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "few.sdf"
    assert run("generate", "-n", 4, "--steps", 2, "--size", 12, "-o", path).status == 0
    for record in read_molecules(path):
        assert record.tags["model"].startswith("druglike ")
        assert record.tags["hydrogens"].startswith("placed by rule, relaxed")
        assert record.mol.GetNumHeavyAtoms() == 12 < record.mol.GetNumAtoms()
    assert run("generate", "-n", 1, "--steps", 2, "--formula", "CH4", "-o", path).status == 0
    (record,) = read_molecules(path)
    assert record.tags["model"].startswith("qm9 ") and "hydrogens" not in record.tags
