"""The page of a prepared receptor: harmless, complete, and a box to each row."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

from moldiff.docking.preparation import Preparation
from moldiff.view.preparation import render_preparation

PAGE = Path(__file__).parents[2] / "moldiff" / "view" / "page"
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)


def test_the_page_has_it_all_and_nothing_becomes_markup(prepared: Preparation) -> None:
    page = render_preparation(prepared)
    found = DATA.search(page)
    assert found is not None and "<" not in found[1] and "&lt;b&gt;complex" in page
    data: dict[str, Any] = json.loads(found[1])
    assert data["boxes"][0]["what"] == "ligand A:301 DEX"
    assert data["boxes"][1]["what"] == "cavity 1, where A:301 DEX lies"
    assert {box["kind"] for box in data["boxes"]} == {"ligand", "cavity"}
    assert data["groups"] == [["A:301 DEX", "cofactor", "left out", "a ligand of the experiment"]]
    ligand = Chem.MolFromPDBBlock(data["ligands"], sanitize=False)
    assert ligand.GetNumAtoms() == len(prepared.ligands) == 28
    assert Chem.MolFromPDBBlock(data["receptor"], sanitize=False).GetNumAtoms() == len(
        prepared.receptor
    )
    assert len(data["states"]) == 5


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to parse the code")
def test_the_code_parses() -> None:
    script = str(PAGE / "preparation.js")
    checked = subprocess.run(["node", "--check", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
