"""``moldiff design pocket``: ranked designs and a table out, and one line for what cannot be."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.io import read_molecules

Run = Callable[..., Any]
EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
POCKET = ("-r", EXAMPLE / "receptor.pdb", "--pocket-ligand", EXAMPLE / "ligand.sdf")


def test_designs_are_ranked_written_and_shown(run: Run, tmp_path: Path) -> None:
    sdf, page = tmp_path / "designs.sdf", tmp_path / "designs.html"
    done = run(
        "design", "pocket", *POCKET, "--add", "2-3", "-n", 8, "--steps", 12, "--seed", 3,
        "--pick", 3, "-o", sdf, "--page", page, "--only", "C,N,O",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "pocket's ligand, minimised in place" in done.out and "part kept exactly" in done.out
    records, known = list(read_molecules(sdf)), Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    rows = list(csv.DictReader(sdf.with_suffix(".csv").open()))
    assert 1 <= len(records) <= 3 and len(rows) == 8
    scores = [float(record.tags["score"]) for record in records]
    assert scores == sorted(scores, reverse=True)
    assert sum(row["status"] == "kept" for row in rows) == len(records)
    assert all(bool(row["reason"]) == (row["status"] == "rejected") for row in rows)
    where = known.GetConformer().GetPositions()
    for record in records:
        assert record.mol is not None and record.tags["part_kept"] == "yes"
        assert float(record.tags["energy_kcal_mol"]) < 0 and "hydrophobic" in record.tags
        count = int(record.tags["kept_atoms"].partition("-")[2])
        x = record.mol.GetConformer().GetPositions()[:count]
        nearest = np.linalg.norm(x[:, None] - where, axis=-1).min(1)
        assert nearest.max() < 1e-3  # in the receptor's frame, where the ligand has these atoms
        assert "receptor_sha256" in record.tags  # by which the command knows its own files
    assert "receptor" in page.read_text()
    verdicts = moldiff.verify(records)  # of what was relaxed in the pocket, not of what was drawn
    assert all(one.why.startswith("its digests are right; it was made") for one in verdicts)


def test_programs_are_told_by_names_that_stay(run: Run, tmp_path: Path) -> None:
    line = ("design", "pocket", *POCKET, "--add", "2-3", "-n", 4, "--steps", 12, "--seed", 3)
    told = json.loads(run(*line, "--json", "-o", tmp_path / "designs.sdf").out)
    assert told["designs"] == 4 and told["strictly_valid"].keys() == {"count", "percent"}
    assert all(one["energy_kcal_mol"] < 0 and one["smiles"] for one in told["best"])
    piped = run(*line, "-o", "-")
    assert piped.out.count("$$$$") == len(told["best"]) and "stdout.sdf" not in piped.err
    none = run("design", "pocket", *POCKET, "--budget", "0.01s", "-o", "-")
    assert "No design was made." in none.err and "stdout.csv" not in none.err


def test_a_budget_ends_in_good_order(run: Run, tmp_path: Path) -> None:
    sdf = tmp_path / "designs.sdf"
    done = run("design", "pocket", *POCKET, "--budget", "0.01s", "-o", sdf)
    assert (
        done.status == 1 and "No design was made" in done.err and sdf.with_suffix(".csv").exists()
    )


def test_nothing_is_overwritten_that_the_command_did_not_make(run: Run, tmp_path: Path) -> None:
    names = ("designs.sdf", "designs.csv", "designs.html")
    sdf, _, page = paths = [tmp_path / name for name in names]
    line = ("design", "pocket", *POCKET, "--budget", "0.01s", "-o", sdf, "--page", page)
    for path in paths:
        path.write_text("mine")
        done = run(*line)
        assert done.status == 2 and "--force" in done.err and str(path) in done.err
        assert path.read_text() == "mine"
        path.unlink()
    sdf.with_suffix(".csv").write_text("mine")
    assert "No design was made" in run(*line, "--force").err  # and the table is its own
    assert "No design was made" in run(*line).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "soon"), "--budget is a time above 0"),
        (("--budget", "0s"), "--budget is a time above 0"),
        (("--add", "0"), "--add is a number of atoms"),
        (("--scaffold", EXAMPLE / "ligand.sdf", "--start", "dock"), "a start of its own"),
        (("--start", "evolve", "--add", "3"), "Nothing is added to whole molecules"),
        (("-o", "designs.xyz"), "unknown suffix"),
        (("--page", "designs.csv"), "unknown suffix"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, words: tuple[object, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("design", "pocket", *POCKET, *words)
    assert done.status == 2 and said in done.err, done.err
    assert done.err.count("Error") == 1 and "Traceback" not in done.err
