"""The charter of CONTRIBUTING.md, as far as a machine can check it."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for path in (ROOT / "moldiff").rglob("*.py")
    if "vendor" not in path.relative_to(ROOT).parts
)
MAX_FILE, MAX_FUNCTION = 320, 60


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Length without the docstring: documenting a function never makes it too long."""
    first = (
        function.body[1] if ast.get_docstring(function) and function.body[1:] else function.body[0]
    )
    return (function.end_lineno or 0) - first.lineno + 1


def test_imports_point_one_way() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_circles() -> None:
    """Neither modules nor folders import each other in a circle."""
    figures = runpy.run_path(str(ROOT / "scripts" / "structure.py"))["figures"]
    _, *circles = figures(ROOT)
    assert circles == [[], []]


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > MAX_FILE}


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in SOURCES
        for function in functions(path)
        if code_lines(function) > MAX_FUNCTION
    ]
    assert not long


SEEDING = {"torch.manual_seed", "np.random.seed", "numpy.random.seed", "random.seed"}


def seedings(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that seed a global generator, but for those that fork_rng undoes."""
    if isinstance(node, ast.With) and any(
        "fork_rng" in ast.unparse(item.context_expr) for item in node.items
    ):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func) in SEEDING:
        yield node
    for child in ast.iter_child_nodes(node):
        yield from seedings(child)


def test_no_global_seeding() -> None:
    """Charter, rule 9: randomness is an argument."""
    guilty = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in seedings(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not guilty


# Modules and calls that store objects as code to be run on loading.
PICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
PICKLING = {"torch.load", "torch.save"}


def pickling(node: ast.AST) -> bool:
    """Whether a node imports a pickler, names torch's, or lets numpy use one."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in PICKLERS for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        names = {f"{module}.{alias.name}" for alias in node.names}
        return not node.level and (module.split(".")[0] in PICKLERS or bool(names & PICKLING))
    if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
        return not (isinstance(node.value, ast.Constant) and node.value.value is False)
    return isinstance(node, ast.Attribute) and ast.unparse(node) in PICKLING


def test_no_pickle() -> None:
    """Model files and checkpoints are safetensors and JSON: opening one runs no code."""
    guilty = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(map(pickling, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    ]
    assert not guilty


@pytest.mark.parametrize(
    ("code", "guilty"),
    [
        ("import pickle", True),
        ("import numpy, joblib.memory", True),
        ("from pickle import loads", True),
        ("from torch import load", True),
        ("import shelve", True),
        ("import marshal", True),
        ("model = torch.load(path, weights_only=True)", True),
        ("save = torch.save", True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path, allow_pickle=maybe)", True),
        ("np.load(path, allow_pickle=False)", False),
        ("from .pickle import taste", False),
        ("model.load(path); import json", False),
    ],
)
def test_pickling_is_recognised(code: str, guilty: bool) -> None:
    assert any(map(pickling, ast.walk(ast.parse(code)))) == guilty


@pytest.mark.parametrize("script", ["quickstart", "test", "_setup.sh", "_torch.sh"])
def test_scripts_are_thin(script: str) -> None:
    text = (ROOT / "scripts" / script).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60


def test_mutants_are_up_to_date() -> None:
    """Each mutant of mutants.py changes text that stands in its file once."""
    mutants = runpy.run_path(str(ROOT / "tests" / "mutants.py"))["MUTANTS"]
    counts = {
        m.name: (ROOT / "moldiff" / m.file).read_text(encoding="utf-8").count(m.before)
        for m in mutants
    }
    assert {name: count for name, count in counts.items() if count != 1} == {}
