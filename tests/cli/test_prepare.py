"""``moldiff prepare``: files, the account on the terminal, and bad input as one clear line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
LIGAND = "HETATM 9001  {name:<3} LIG L   7    {x:8.3f}  20.000  30.000  1.00 20.00           C"

# command line, words of the error
CASES = {
    "no file": (("no.pdb",), ["no.pdb", "does not exist"]),
    "output kind": (("in.pdb", "-o", "out.sdf"), ["'.sdf'", ".pdb"]),
    "over the input": (("in.pdb", "-o", "in.pdb"), ["would overwrite"]),
    "page over the receptor": (("in.pdb", "--page", "x.txt"), ["'.txt'", ".html"]),
    "no such group": (("in.pdb", "--keep", "XYZ"), ["XYZ", "keep", "L:7 LIG"]),
    "no such exclusion": (("in.pdb", "--exclude", "B:HEM"), ["B:HEM", "leave out"]),
    "no model": (("in.pdb", "--model", "2"), ["1 model,", "no model 2"]),
    "no assembly": (("in.pdb", "--assembly", "1"), ["no assembly '1'", "--assembly"]),
    "waters": (("in.pdb", "--waters", "some"), ["--waters takes all", "--waters 5"]),
    "negative waters": (("in.pdb", "--waters=-3"), ["--waters takes all"]),
    "nothing left": (("only.pdb",), ["Nothing of the receptor file only.pdb is left"]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a receptor that holds a ligand."""
    monkeypatch.chdir(tmp_path)
    ligand = "\n".join(LIGAND.format(name=f"C{k}", x=8 + 1.5 * k) for k in range(6))
    (tmp_path / "in.pdb").write_text(f"{CAGE.read_text().replace('END', '')}\n{ligand}\nEND\n")
    (tmp_path / "only.pdb").write_text(f"{ligand}\n")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line(run: Run, folder: Path, case: str) -> None:
    words, expected = CASES[case]
    before = sorted(folder.rglob("*"))
    done = run("prepare", *words)
    lines = [line for line in done.err.splitlines() if line.startswith("Error:")]
    assert done.status in (1, 2) and len(lines) == 1, done.err
    for word in expected:
        assert word in lines[0]
    assert sorted(folder.rglob("*")) == before


def test_files_and_account(run: Run, folder: Path) -> None:
    done = run("prepare", "in.pdb", "--report", "a.json", "--page", "a.html")
    assert done.status == 0, done.err
    assert "L:7 LIG" in done.out and "a ligand of the experiment" in done.out
    assert "--center=11.75,20,30 --box-size 25,25,25" in done.out
    account = json.loads((folder / "a.json").read_text())
    assert account["residues"] == [
        {"residue": "L:7", "name": "LIG", "kind": "cofactor", "kept": False}
        | {"why": "a ligand of the experiment"}
    ]
    assert "LIG" not in (folder / "prepared.pdb").read_text()
    assert "a ligand of the experiment" in (folder / "a.html").read_text()
    kept = run("prepare", "in.pdb", "--keep", "L:7")
    assert kept.status == 0 and "kept as asked" in kept.out
    assert "LIG" in (folder / "prepared.pdb").read_text()
