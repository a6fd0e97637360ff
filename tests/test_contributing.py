"""What CONTRIBUTING tells to write, works as it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rdkit import Chem
from typer.testing import CliRunner

from moldiff.cli import app

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("registry_kept")
def test_the_guidance_is_one_file(tmp_path: Path) -> None:
    code = re.search(r"<!-- guidance:begin -->\n```python\n(.*?)```", TEXT, re.S)
    assert code is not None
    (tmp_path / "compact.py").write_text(code[1], encoding="utf-8")
    sizes = []
    for k, guidance in enumerate(("compact,factor=1.0", "compact,factor=0.8")):
        output = tmp_path / f"{k}.sdf"
        command = ["generate", "-n", "3", "--steps", "4", "-o", str(output), "--model", "qm9"]
        command += ["--import", str(tmp_path / "compact.py"), "--guidance", guidance]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        mol = next(iter(Chem.SDMolSupplier(str(output), sanitize=False, removeHs=False)))
        sizes.append(float((mol.GetConformer().GetPositions() ** 2).sum()))
    assert sizes[1] < 0.8 * sizes[0]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(moldiff/[\w/.]+)`", TEXT))))
def test_every_path_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
