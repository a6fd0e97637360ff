"""`moldiff filter`, and the same options of `moldiff generate`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

import moldiff
from moldiff.errors import InputError
from moldiff.io import read_molecules, write
from moldiff.io.sources import record_of

Run = Callable[..., Any]

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


def test_files_and_summary(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO a\nc1ccccc1Cl b\n")
    done = run(
        *("filter", tmp_path / "a.smi", SAMPLE, "--where", "mw > 20", "--where", "rings < 2"),
        *("--alerts", "zinc", "--novel-to", tmp_path / "a.smi", "--pick", 3, "--jobs", 1),
        *("-o", tmp_path / "kept.sdf"),
    )
    assert done.status == 0, done.err
    assert sorted(os.listdir(tmp_path)) == ["a.smi"] + [
        f"kept.{suffix}" for suffix in ("csv", "html", "json", "sdf")
    ]
    told = json.loads((tmp_path / "kept.json").read_text())
    with (tmp_path / "kept.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert told["records"] == len(rows) and told["kept"] == 3 and told["complete"]
    assert told["rejected"]["known molecule"] >= 2 and "known molecule" in done.out
    assert all(row["reason"] for row in rows if row["status"] != "kept")
    assert len(list(read_molecules(tmp_path / "kept.sdf"))) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Nothing is asked"),
        (["--where", "mww>3"], "Did you mean 'mw'"),
        (["--alerts", "pain"], "Did you mean 'pains'"),
        (["--novel-to", "no.smi"], "no file"),
        (["--seen-rings", "qm8"], "no reference"),
        (["--where", "mw>3", "-o", "a.csv"], "unknown suffix"),
        (["--where", "mw>3", "-o", "a.sdf"], "overwrite"),
        (["--where", "mw>3", "no.sdf"], "no file"),
        (["--where", "mw>3", "."], ". is a directory"),
        (["--where", "mw>3", "--pick", "0"], "--pick"),
    ],
)
def test_what_cannot_be(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("smiles,gap\nCCO,3\n")
    done = run("filter", "a.csv", *words)
    assert done.status == 2 and told in done.err and "--debug" not in done.err
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_misspelt_field_and_nothing_left(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("smiles,gap\nCCO,3\n")
    words = ("filter", tmp_path / "in.csv", "-o", tmp_path / "o.sdf", "--no-html", "--jobs", 1)
    done = run(*words, "--where", "<gab> > 1")
    assert done.status == 2 and "Did you mean 'gap'" in done.err
    assert os.listdir(tmp_path) == ["in.csv"], "a request that is refused writes nothing"
    done = run(*words, "--where", "<gap> > 100")
    assert done.status == 0 and "is empty" in done.err
    assert (tmp_path / "o.sdf").read_text() == "" and not (tmp_path / "o.html").exists()
    assert run(*words, "--where", "<gap> > 1", "--force").err == ""


def test_poses_are_filtered_by_what_is_written_of_them(run: Run, tmp_path: Path) -> None:
    mol = Chem.MolFromSmiles("CCO")
    poses = [("A:ARG611 A:GLN570", "-8.5"), ("A:GLN570", "-9.5"), (None, "-9.0")]
    records = [
        record_of(mol, name=str(k), tags={"energy": energy} | ({"hbond": met} if met else {}))
        for k, (met, energy) in enumerate(poses)
    ]
    write(records, tmp_path / "hits.sdf")
    words = ("filter", tmp_path / "hits.sdf", "--jobs", 1, "--no-html", "-o", tmp_path / "k.sdf")
    done = run(*words, "--where", "<hbond> has 'GLN570' & <energy> < -9")
    assert done.status == 0, done.err
    assert [record.name for record in read_molecules(tmp_path / "k.sdf")] == ["1"]
    done = run(*words, "--where", "<hbond> has 'ARG611' | <energy> < -99")
    with (tmp_path / "k.csv").open() as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    assert reasons[0] == "" and "<hbond> is 'A:GLN570'" in reasons[1]
    assert "<hbond> is missing" in reasons[2] and "no number" not in "".join(reasons)


def test_texts_that_no_record_has_are_told_beside_those_there_are(run: Run, tmp_path: Path) -> None:
    mol = Chem.MolFromSmiles("CCO")
    met = ["A:ARG611 A:GLN570", "A:GLN570 A:TYR735", "A:LEU563 A:PHE623 A:MET604"]
    tags = [{"hbond": residues, "required": "met"} for residues in met]
    write([record_of(mol, tags=one) for one in tags], tmp_path / "hits.sdf")
    words = ("filter", tmp_path / "hits.sdf", "--jobs", 1, "--no-html", "-o", tmp_path / "k.sdf")

    def said(where: str) -> list[str]:
        lines = run(*words, "--where", where).err.splitlines()
        return [line for line in lines if line.startswith("No <")]

    (residue,) = said("<hbond> has 'ARG612' & <required> = 'met'")
    assert residue.startswith(
        "No <hbond> has 'ARG612'; of 6 values there the nearest are 'A:ARG611'"
    )
    both = said("<hbond> has 'B:611' | <required> = 'mett'")
    assert len(both) == 2 and both[1] == "No <required> is 'mett'; there is 'met'."
    assert said("<hbond> has 'ARG612' | <required> = 'met'") == [], "something is kept"
    assert said("<hbond> has 'ARG611' & mw > 999") == [], "a record has it"
    assert said("<required> != 'met'") == said("not <required> has 'met'") == []


def test_smiles_are_written_with_their_page(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text("SMILES\tID\nCCO\ta\n")
    done = run("filter", tmp_path / "in.tsv", "--where", "O = 1", "-o", tmp_path / "o.smi")
    assert done.status == 0, done.err
    assert (tmp_path / "o.smi").read_text() == "CCO a\n" and (tmp_path / "o.html").exists()


def test_generated_molecules_are_filtered(run: Run, model_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.sdf"
    words = ("generate", "-n", 12, "--model", model_file, "--steps", 2, "-o", output)
    done = run(*words, "--where", "atoms > 4", "--pick", 2)
    assert done.status == 0, done.err
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and all(row["reason"] for row in rows if row["status"] != "kept")
    others = {name for name in rows[0] if name[0] == "<"}
    assert "<strictly_valid>" in others <= {"<strictly_valid>", "<invalid_reason>"}
    kept = [row for row in rows if row["status"] == "kept"]
    assert len(kept) <= 2 and "passed" in done.out
    assert any(row["reason"].startswith(("not strictly valid", "no molecule")) for row in rows)
    records = list(read_molecules(output)) if kept else []
    assert [r.name for r in records] == [
        row["name"] for row in sorted(kept, key=lambda row: row["place"])
    ]
    refused = run(*words, "--where", "atoms > 4", "--trajectory", tmp_path / "t.xyz")
    assert refused.status == 2 and "--trajectory" in refused.err


def test_generate_does_not_overwrite_the_list_it_compares_with(run: Run, tmp_path: Path) -> None:
    known = tmp_path / "known.smi"
    known.write_text("CCO ethanol\n")
    done = run("generate", "-n", 1, "--where", "mw>1", "--novel-to", known, "-o", known)
    assert done.status == 2 and "would overwrite" in done.err
    assert known.read_text() == "CCO ethanol\n"


def test_a_negation_that_does_not_hold_is_said_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO ethanol\n")
    kept = tmp_path / "kept.smi"
    done = run("filter", tmp_path / "a.smi", "--where", "not mw>1", "--no-html", "-o", kept)
    assert done.status == 0 and "not (not mw > 1)" in kept.with_suffix(".csv").read_text()


def test_unknown_rings_name_the_known_ones(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO ethanol\n")
    done = run("filter", tmp_path / "a.smi", "--seen-rings", "nope", "-o", tmp_path / "k.smi")
    assert done.status == 2 and "druglike, qm9" in done.err


def test_the_column_that_names_are_from_can_be_asked_for(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "library.csv"
    table.write_text("id,smiles,price\nx1,CCO,3\nx2,CCN,4\n")
    done = run("filter", table, "--where", "<id> = 'x2'", "-o", tmp_path / "kept.sdf")
    assert done.status == 0, done.err
    (record,) = read_molecules(tmp_path / "kept.sdf")
    assert record.name == "x2" and dict(record.tags) == {"price": "4"}
    with (tmp_path / "kept.csv").open() as file:
        assert [row["<id>"] for row in csv.DictReader(file)] == ["x1", "x2"]
    (one,) = moldiff.filter(table, where="<id> = 'x2'").kept
    assert one.record.name == "x2"
    done = run("filter", table, "--where", "<prize> > 3", "-o", tmp_path / "none.sdf")
    assert done.status == 2 and "Did you mean 'price'" in done.err
    with pytest.raises(InputError, match="Did you mean 'price'"):
        moldiff.filter(table, where="<prize> > 3")
    assert not moldiff.filter([], where="<prize> > 3").kept
