"""Two hundred bad command lines, made from the commands' own options: each has a clear answer.

Every command has a good line (`GOOD`), into which one bad value, a missing file or a contradiction
is put.  The parameters and their types come from the command line itself, so that a new option is
tried from the minute it exists; `ANY` names those to which any text is good.
"""

from __future__ import annotations

import inspect
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest
import typer
from typer.models import ArgumentInfo

from moldiff.cli import app

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
COMPLEX = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
COUNT = 200

Line = tuple[str, ...]

_DESIGN = ("-n", "1", "--steps", "1", "-o", "new.sdf")
_QUICK = ("--posebusters", "0", "--relax", "0", "--xtb", "0", "--reference", "none")
#: A line of each command that would work, but for what takes long: that ends at a missing file.
GOOD: dict[str, Line] = {
    "generate": ("-n", "1", "--steps", "1", "--model", "qm9-fast", "-o", "new.sdf"),
    "filter": ("good.sdf", "--where", "mw>0", "-o", "new.sdf"),
    "dock": ("-r", "receptor.pdb", "-l", "missing.sdf", "--autobox", "-o", "new.sdf"),
    "prepare": ("receptor.pdb", "-o", "new.pdb"),
    "complete": ("missing.pdb", "-o", "new.pdb"),
    "backbone": ("--like", "missing.pdb", "-o", "new"),
    "sequence": ("missing.pdb", "-o", "new.fasta"),
    "merge": ("missing.1of2.sdf", "-o", "new.sdf"),
    "score": ("good.sdf", "-r", "receptor.pdb", "-o", "new.sdf"),
    "evaluate": ("good.sdf", *_QUICK),
    "view": ("good.sdf", "-o", "new.html"),
    "verify": ("good.sdf",),
    "likelihood": ("good.sdf", "--steps", "2"),
    "train": ("missing.yaml",),
    "info": ("qm9-fast",),
    "methods": ("ddpm",),
    "cite": ("ddpm",),
    "design grow": ("--scaffold", "c1ccccc1", *_DESIGN),
    "design link": ("--fragments", "missing.sdf", *_DESIGN),
    "design replace": ("--ligand", "CCO", "--keep-atoms", "1", *_DESIGN),
    "design decorate": ("--scaffold", "c1ccccc1", *_DESIGN),
    "design pocket": ("-r", "receptor.pdb", "--pocket-ligand", "missing.sdf", "-o", "new.sdf"),
    "data qm9": ("--output", "no/such/folder", "--limit", "0"),
    "data prepare": ("missing.sdf", "--output", "new"),
    "data fold": ("missing", "--output", "new"),
    "data complexes": ("missing", "--output", "new"),
    "data decoys": ("missing", "missing", "--output", "new"),
    "data backbones": ("missing.npz", "--output", "new"),
    "data druglike": ("--output", "new", "--limit", "0"),
    "data reference": ("missing",),
    "data info": ("missing",),
    "benchmark docking": ("missing", "--output", "new"),
    "benchmark backbones": ("missing", "--model", "missing.safetensors"),
    "benchmark gaps": ("missing", "--model", "missing.safetensors"),
    "benchmark sequences": ("missing", "--model", "missing.safetensors"),
}
#: Texts of any content are good, or are used only after what is missing has been told.
ANY = ("import", "loggers", "exclude", "keep", "formula")

# kind of value -> bad ones
BAD: dict[str, Line] = {
    "integer": ("many", "1.5", "nan"),
    "integer range": ("many", "-7", "9" * 30),
    "float": ("many", "nan", "-inf"),
    "float range": ("many", "-1", "nan"),
    "choice": ("nonsense", ""),
    "path": ("no/such/file.sdf", "folder.sdf", "empty.sdf", "text.pdb"),
    "text": ("?!", "", "no/such/file.sdf"),
}
CONTRADICTIONS: tuple[Line, ...] = (
    ("generate", "--prompt", "no bromine", "--only", "Br"),
    ("generate", "--formula", "CH4", "--size", "12"),
    ("generate", "--without", "C,N,O,F", "-n", "1", "--model", "qm9-fast"),
    ("generate", "--trajectory", "t.xyz", "--where", "mw>3"),
    ("generate", "-o", "same.xyz", "--trajectory", "same.xyz"),
    ("generate", "-o", "-", "--json"),
    ("backbone", "-n", "1", "--length", "40", "-o", "-"),
    ("data", "prepare", "good.sdf", "-o", "-"),
    ("train", "good.sdf", "-o", "-"),
    ("filter", "good.sdf"),
    ("filter", "good.sdf", "--where", "mw>1e400"),
    ("filter", "good.sdf", "--where", "<nothing> > 3", "-o", "none.sdf"),
    ("filter", "good.sdf", "--where", "mw=100.5", "-o", "none.sdf"),
    ("filter", "good.sdf", "--where", "mw>1", "-o", "good.sdf"),
    ("dock", "-r", "receptor.pdb"),
    ("dock", "-r", "receptor.pdb", "-l", "CCO", "--ligands", "good.sdf"),
    ("dock", "-r", "receptor.pdb", "-l", "CCO"),
    ("dock", "-r", "receptor.pdb", "-l", "CCO", "--autobox", "--center", "1,2,3"),
    ("dock", "-r", "good.sdf", "-l", "CCO", "--autobox"),
    ("dock", "-r", "receptor.pdb", "-l", "CCO", "--center", "1,2,3", "--cavities", "3"),
    ("view", "good.sdf", "--reference", "good.sdf"),
    ("view", "good.sdf", "--receptor", "receptor.pdb", "--trajectory", "t.xyz"),
    ("view", "good.sdf", "--receptor", "receptor.pdb", "--figures", "f.csv"),
    ("view", "good.sdf", "--receptor", "receptor.pdb", "--gif", "t.gif"),
    ("view", "good.sdf", "--figures", "none.csv"),
    ("view", "good.sdf", "--figures", "good.sdf"),
    ("view", "good.sdf", "--highlight", "C1CC"),
    ("view", "good.sdf", "--gif", "t.html"),
    ("view", "good.sdf", "--gif", "t.gif", "-o", "t.html"),
    ("view", "good.sdf", "--gif", "t.gif"),
    ("view", "t.xyz", "--gif", "t.gif", "--figures", "f.csv"),
    ("view", "t.xyz", "--strip", "t.png", "--open"),
    ("view", "none.xyz", "--strip", "t.png"),
    ("evaluate", "good.sdf", "--table", "t.json"),
    ("evaluate", "good.sdf", "--table", "good.sdf"),
    ("view", "good.sdf", "-o", "mine.html"),
    ("verify", "mine.html"),
    ("methods", "-o", "x.svg"),
    ("methods", "heun", "-o", "x.svg"),
    ("design", "replace", "--ligand", "CCO", "--keep-atoms", "5-3"),
    ("design", "replace", "--ligand", "CCO"),
    ("design", "replace", "--ligand", "CCO", "--keep-atoms", "1", "--keep-smarts", "O"),
    ("design", "grow", "--scaffold", "CCO", "--add", "9-3"),
    ("design", "grow", "--scaffold", "CCO", "--add", "3", "--size", "40"),
    ("design", "link", "--fragments", "apart.sdf", "--add", "2"),
    ("design", "link", "--fragments", "CCO"),
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a command: its option (empty for an argument), and the kind of its values."""

    name: str
    option: str
    kind: str


def commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every command by its words."""
    for info in app.registered_commands:
        yield str(info.name), info.callback  # type: ignore[misc]
    for group in app.registered_groups:
        for info in group.typer_instance.registered_commands:  # type: ignore[union-attr]
            yield f"{group.name} {info.name or info.callback.__name__}", info.callback  # type: ignore[misc,union-attr]


def parameters(command: Callable[..., Any]) -> Iterator[Parameter]:
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if parameter.annotation is typer.Context:  # the line itself, no part of it
            continue
        wanted, info = get_args(parameter.annotation)[:2]
        # typer takes the first name of an annotated option for its default.
        words = [w for w in (info.default, *(info.param_decls or ())) if str(w).startswith("-")]
        option = (words or [f"--{name.replace('_', '-')}"])[-1].partition("/")[0]
        inner = [one for one in get_args(wanted) if one is not NoneType] or [wanted]
        kind = (get_args(inner[0]) or inner)[0]
        bounded = info.min is not None or info.max is not None
        told = {int: "integer", float: "float", bool: "flag", str: "text", Path: "path"}
        shown = told.get(kind, "choice") + (" range" if bounded else "")
        yield Parameter(name, "" if isinstance(info, ArgumentInfo) else option, shown)


def put(good: Line, parameter: Parameter, value: str) -> Line:
    """A good line with a value of a parameter replaced or added."""
    if not parameter.option:
        return (value, *good[1:]) if good and not good[0].startswith("-") else (value, *good)
    line, short = list(good), {"--number": "-n", "--output": "-o", "--ligand": "-l"}
    for name in (parameter.option, short.get(parameter.option, "")):
        if name in line:
            line[line.index(name) + 1] = value
            return tuple(line)
    return (*good, parameter.option, value)


def lines_of(words: str, command: Callable[..., Any]) -> Iterator[Line]:
    start, good = tuple(words.split()), GOOD[words]
    yield (*start, *good, "--no-such-option", "1")
    for parameter in parameters(command):
        if parameter.name not in ANY:
            for bad in BAD.get(parameter.kind, ()):
                yield (*start, *put(good, parameter, bad))


def all_lines() -> list[Line]:
    """Bad lines of all commands in turn, so that the first ones are of all of them."""
    made: dict[str, list[Line]] = defaultdict(list)
    for words, command in commands():
        made[words] = list(lines_of(words, command))
        random.Random(words).shuffle(made[words])
    turns = chain.from_iterable(zip_longest(*made.values()))
    return [line for line in (*CONTRADICTIONS, *turns) if line is not None]


LINES = list(dict.fromkeys(all_lines()))[:COUNT]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "folder.sdf").mkdir()
    blocks = SAMPLE.read_text().split("$$$$\n")[:3]
    (folder / "good.sdf").write_text("".join(f"{block}$$$$\n" for block in blocks))
    (folder / "empty.sdf").write_text("\n")
    (folder / "text.pdb").write_text("HELLO")
    (folder / "mine.html").write_text("<p>my own page</p>")
    (folder / "receptor.pdb").write_bytes((COMPLEX / "receptor.pdb").read_bytes())
    methane = "\n     RDKit          3D\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n"
    methane += "{:10.4f}    0.0000    1.0000 C   0  0\nM  END\n$$$$\n"
    (folder / "apart.sdf").write_text(methane.format(0) + methane.format(30))
    return folder


def test_every_command_has_a_good_line() -> None:
    assert {words for words, _ in commands()} == GOOD.keys()
    assert len(LINES) == COUNT


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_clear_answer(
    run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    monkeypatch.chdir(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = run(*line)
    errors = [text for text in done.err.splitlines() if text.startswith("Error:")]
    assert done.status in (1, 2), done
    assert len(errors) == 1 and len(errors[0]) > 25, done.err
    assert "Traceback" not in done.err + done.out
    words_of_libraries = ("Value error", "Input should", "unable to parse")
    for leak in ("Unexpected", *words_of_libraries, "<class", "object at 0x", "Errno"):
        assert leak not in errors[0]
    assert all(path.read_bytes() == content for path, content in before.items())
