"""Scripts that draw and measure the package."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from moldiff.protein.write import backbone_pdb
from tests.backbones import backbone, of_torsions

SCRIPTS = Path(__file__).parents[1] / "scripts"

TREE = {
    "p/__init__.py": "",
    "p/a.py": "from p.b import x",
    "p/b/__init__.py": "from .one import x\nif TYPE_CHECKING:\n    from p.a import y",
    "p/b/one.py": "import numpy, p.c.two as two",
    "p/c/__init__.py": "",
    "p/c/two.py": "def f():\n    from p.c.three import g" + "\n    pass" * 59,
    "p/c/three.py": "from . import two\n\ndef g():\n    pass",
    "tests/__init__.py": "import p",
}


def loaded(name: str) -> Any:
    """A script as a module."""
    spec = spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(root: Path, **changes: str) -> Path:
    """A checkout of a small package."""
    for name, text in {**TREE, **changes}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_figures_of_the_structure(tmp_path: Path) -> None:
    counted, of_modules, of_rooms = loaded("structure").figures(tree(tmp_path))
    assert counted == {
        "modules": 7,
        "lines": 70,
        "rooms": 4,  # p, p.a, p.b, p.c
        "floors": 3,  # p.a, p.b, p.c
        "circles of modules": 1,
        "circles of rooms": 0,
        "functions over 60 lines": 1,
        "imports inside functions": 1,
    }
    assert (of_modules, of_rooms) == ([["p.c.three", "p.c.two"]], [])


def test_a_circle_of_rooms_is_one_floor(tmp_path: Path) -> None:
    changed = {"p/c/two.py": "from ..b import one"}
    counted, of_modules, of_rooms = loaded("structure").figures(tree(tmp_path, **changed))
    assert of_rooms == [["p.b", "p.c"]] and of_modules == [["p.b.one", "p.c.two"]]
    assert counted["floors"] == 2 and counted["functions over 60 lines"] == 0


def test_structure_is_printed(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPTS / "structure.py", tree(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "floors                            3\n" in done.stdout
    assert "circle of 2 modules: p.c.three, p.c.two\n" in done.stdout


def test_the_drawn_layers_are_those_of_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, SCRIPTS / "draw_layers.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    draw = loaded("draw_layers")
    drawn = draw.picture()
    assert all(f">{name}<" in drawn for names, _ in draw.layers("diffusion") for name in names)
    contract = (draw.ROOT / "setup.cfg").read_text(encoding="utf-8")
    (tmp_path / "setup.cfg").write_text(contract.replace("    metrics | ", "    "))
    monkeypatch.setattr(draw, "ROOT", tmp_path)
    assert draw.picture() != drawn


def test_drawn_folds_are_compared_with_one_another_and_with_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, predicted = tmp_path / "drawn", tmp_path / "predicted"
    for folder in (drawn, predicted):
        folder.mkdir()
    chains = [of_torsions([(-63.0, -42.0)] * 40), backbone(40, seed=3).atoms]
    for k, atoms in enumerate(chains, 1):
        (drawn / f"backbone-{k}.pdb").write_text(backbone_pdb(atoms, ["GLY"] * 40))
        (predicted / f"backbone-{k}-1.pdb").write_text(backbone_pdb(chains[0], ["GLY"] * 40))
    monkeypatch.setattr("sys.argv", ["x", str(drawn), "--predictions", str(predicted)])
    loaded("measure_folds").main()
    out = capsys.readouterr().out
    assert "pairs of 2 backbones: mean TM 0." in out
    assert "above 0.5 50 %; scRMSD below 2 Å 50 %" in out
