"""``moldiff design``: files in, files with a proof out, and one line for what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.io import Writer, read_molecules

Run = Callable[..., Any]
FAST = ("-n", 2, "--steps", 8)  # in fewer an atom of the part may end with another hydrogen


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pyridine away from the origin."""
    path = tmp_path_factory.mktemp("parts") / "core.sdf"
    with Writer(path) as writer:
        writer.write(_posed("c1ccncc1", 9.0))
    return path


def _posed(smiles: str, shift: float) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=3)
    x = np.round(mol.GetConformer().GetPositions() + np.array([shift, 0, 0]), 4)
    mol.GetConformer().SetPositions(np.ascontiguousarray(x))
    return mol


def test_growing_evaluating_and_viewing(run: Run, core: Path, tmp_path: Path) -> None:
    sdf, page, report = (tmp_path / f"grown.{kind}" for kind in ("sdf", "html", "json"))
    made = run(
        "design", "grow", "--scaffold", core, "--at", 1, "--add", "5-6", *FAST, "-o", sdf,
        "--page", page, "--only", "C,N,O", "--prompt", "logP below 3",
    )  # fmt: skip
    assert made.status == 0, made.err
    assert "part kept exactly" in made.out and "Understood" in made.err
    for record in read_molecules(sdf):
        assert record.mol is not None and record.mol.GetNumHeavyAtoms() in (11, 12)
        assert record.tags["kept"].startswith("6 of 6 atoms, 6 of 6 bonds, no stereo, largest")
        assert record.tags["kept_atoms"] == "1-6" and record.tags["attachments"] == "1"
    assert '"kept":[0,1,2,3,4,5]' in page.read_text()

    skip = ("--posebusters", 0, "--relax", 0, "--xtb", 0, "--reference", "none")
    judged = run("evaluate", sdf, "--kept", core, *skip, "-o", report)
    assert judged.status == 0, judged.err
    assert "Part kept" in judged.out and "part" in json.loads(report.read_text())["kept"]


def test_linking_two_files_replacing_and_decorating(run: Run, core: Path, tmp_path: Path) -> None:
    other, lead, out = (tmp_path / name for name in ("other.sdf", "lead.sdf", "out.sdf"))
    with Writer(other) as writer:
        writer.write(_posed("C1CC1", 15.0))
    with Writer(lead) as writer:  # as docking writes poses: the best one first
        for shift in (0.0, 1.0):
            writer.write(_posed("CC(=O)Nc1ccncc1", shift))
    tasks = (
        ("link", "--fragments", core, "--fragments", other, "--at", "1,12"),
        ("replace", "--ligand", lead, "--keep-smarts", "c1ccncc1", "--add", 5),
        ("replace", "--ligand", lead, "--keep-atoms", "5-10"),
        ("decorate", "--scaffold", "c1c([*:1])cc([*:2])nc1", "--points", 2, "--add", "4-6"),
    )
    for task in tasks:
        done = run("design", *task, *FAST, "-o", out)
        assert done.status == 0, done.err
        assert [r.tags["design"] for r in read_molecules(out)] == [task[0]] * 2
        assert ("the first of the 2 molecules" in done.err) == (task[0] == "replace")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grow", "--scaffold", "c1ccncc1", "--add", "0"), "--add is a number of atoms from 1 on"),
        (("grow", "--scaffold", "c1ccncc1", "--add", "3-x"), "--add is a number of atoms"),
        (("grow", "--scaffold", "c1ccncc1", "--at", "4"), "no free valence"),
        (("grow", "--scaffold", "c1ccncc1", "--at", "[Br]"), "is not in the molecule"),
        (("grow", "--scaffold", "[SiH4]"), "no class of its vocabulary"),
        (("grow", "--scaffold", "C" * 41), "40 at most"),
        (("grow", "--scaffold", "missing.sdf"), "There is no file"),
        (("grow", "--scaffold", "c1ccncc1", "--model", "qm9"), "not trained to complete"),
        (("grow", "--scaffold", "c1ccncc1", "-o", "out.xyz"), "unknown suffix"),
        (("link", "--fragments", "c1ccncc1"), "without coordinates"),
        (("replace", "--ligand", "CCc1ccncc1"), "--keep-atoms or by --keep-smarts"),
        (("replace", "--ligand", "CCc1ccncc1", "--keep-atoms", "90"), "Atom 90 is no heavy atom"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("design", *words)
    assert done.status == 2 and said in done.err, done.err
    assert done.err.count("Error") == 1 and "Traceback" not in done.err


def test_advice_fits_what_was_said(run: Run, core: Path, tmp_path: Path) -> None:
    grow = ("design", "grow", "--scaffold", core, *FAST, "-o", tmp_path / "a.sdf")
    assert "Give a --size of 7 or more" in run(*grow, "--size", 5).err
    done = run("design", "grow", "--scaffold", core, *FAST, "--add", "1..2", "-n", 1)
    assert "6 of them are the scaffold's. Give --add 4..34" in done.err, done.err
    assert "--add, those that are added" in run(*grow, "--size", 20, "--add", 3).err
    done = run(*grow, "--without", "N,Br", "--add", 4)
    assert done.status == 0 and "The part itself has N, and keeps it" in done.err
    frags = ("--fragments", core, "--fragments", tmp_path / "other.sdf")
    with Writer(tmp_path / "other.sdf") as writer:
        writer.write(_posed("C1CC1", 15.0))
    done = run("design", "link", *frags, "--at", "1,2", *FAST, "-o", tmp_path / "b.sdf")
    assert done.status == 2 and "in one fragment" in done.err and "1-6; 12-14" in done.err


def test_the_part_is_not_overwritten(run: Run, core: Path) -> None:
    before = core.read_bytes()
    done = run("design", "grow", "--scaffold", core, "--at", 1, "--add", 3, "-n", 1, "-o", core)
    assert done.status == 2 and "would overwrite" in done.err and core.read_bytes() == before
