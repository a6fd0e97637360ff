"""A prepared receptor docks to the poses of the file that it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.cli import main
from moldiff.protein import read_structure

QUICK: dict[str, Any] = {"draws": 4, "starts": 50, "chains": 8, "rounds": 2, "conformers": 2}
ROW = "{i}   {op}  {x:.6f}  {y:.6f}  {z:.6f}      {shift:.5f}"


def assembly() -> list[str]:
    """REMARK 350: chain A as it is, and a copy 100 Å away."""
    rows = ["BIOMOLECULE: 1", "APPLY THE FOLLOWING TO CHAINS: A"]
    for operator, shift in ((1, 0.0), (2, 100.0)):
        for i, (x, y, z) in enumerate(np.eye(3), start=1):
            row = ROW.format(i=i, op=operator, x=x, y=y, z=z, shift=shift if i == 1 else 0)
            rows.append(f"  BIOMT{row}")
    return [f"REMARK 350 {row}" for row in rows]


@pytest.fixture
def raw(with_ligand: Callable[..., Path], dex: Chem.Mol, tmp_path: Path) -> Path:
    """The receptor with its ligand, a second copy of it, a water beside it, and one far away."""
    lines = with_ligand().read_text(encoding="ascii").splitlines()
    x = dex.GetConformer().GetPositions().mean(0)
    water = "HETATM{:5d}  O   HOH A{:4d}    {:8.3f}{:8.3f}{:8.3f}  1.00 20.00           O"
    waters = [
        water.format(number, number, *(x + far)) for number, far in ((901, [6, 0, 0]), (902, 60))
    ]
    path = tmp_path / "raw.pdb"
    path.write_text("\n".join([*assembly(), *lines[:-1], *waters, "END", ""]), encoding="ascii")
    return path


@pytest.mark.thorough
@pytest.mark.parametrize("choice", [{"waters": 7.0}, {"assembly": "1"}])
def test_the_poses_are_those_of_the_raw_file(
    raw: Path, dex: Chem.Mol, tmp_path: Path, choice: dict[str, Any]
) -> None:
    prepared, account = tmp_path / "prepared.pdb", tmp_path / "account.json"
    words = [f"--{key}={value}" for key, value in choice.items()]
    assert main(["prepare", str(raw), "-o", str(prepared), "--report", str(account), *words]) == 0
    box = json.loads(account.read_text(encoding="utf-8"))["boxes"][0]
    assert box["what"] == "ligand A:301 DEX"
    place: dict[str, Any] = {"center": box["center"], "size": box["size"]}
    before = moldiff.dock(raw, dex, **place, **choice, **QUICK)
    # Other choices are in the file; waters are asked for as of any file.
    kept: dict[str, Any] = {"waters": True} if "waters" in choice else {}
    after = moldiff.dock(prepared, dex, **place, **kept, **QUICK)
    assert len(before.poses) == len(after.poses) > 0
    for one, other in zip(before.poses, after.poses, strict=True):
        x, y = (pose.mol.GetConformer().GetPositions() for pose in (one, other))
        np.testing.assert_array_equal(x, y)
        assert (one.energy, one.score, one.checks) == (other.energy, other.score, other.checks)
        assert [i.residue for i in one.interactions] == [i.residue for i in other.interactions]
    if "waters" in choice:
        names = [r.name for r in read_structure(prepared, waters=True).residues]
        assert names.count("HOH") == 1
