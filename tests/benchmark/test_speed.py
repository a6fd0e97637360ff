"""The speed benchmark end to end: rows, document, tables, picture, command line."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from moldiff.benchmark import __main__ as command
from moldiff.benchmark import allocator, picture, report
from moldiff.benchmark.bench import OWN, QUICK, Bench
from moldiff.benchmark.peers import PEERS
from moldiff.benchmark.speed import FORMAT, SECTIONS, document, measure
from moldiff.report.document import write
from moldiff.report.picture import available, check

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark"
NETWORKS = [OWN, *(peer.name for peer in PEERS)]


@pytest.fixture(scope="session")
def result(bench: Bench) -> dict[str, Any]:
    """A document; the allocator's processes are replaced by calls."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocator, "_process", lambda x: allocator.main(x | {"keep": False}))
        sections = measure(bench, said.append)
    assert said == list(SECTIONS)
    return document(bench, sections, seconds=1.0, load=3.0)


def test_document(
    result: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "speed.json"
    write(result, path)
    assert json.loads(path.read_text()) == result
    assert result["format"] == FORMAT
    assert set(result) >= {"date", "seconds", "versions", "machine", "model", "sections"}
    assert result["machine"]["cpu"] and result["machine"]["threads"] == 1
    assert set(result["versions"]) == {"moldiff", "python", "torch", "numpy"}
    sections = result["sections"]
    assert list(sections) == list(SECTIONS)
    for rows in sections.values():
        assert rows and all(set(row) == set(rows[0]) for row in rows)

    assert [row["network"] for row in sections["sampling"]] == NETWORKS
    assert [row["steps"] for row in sections["sampling"]] == [3, 1000, 1000, 100, 100]
    assert sections["sampling"][0]["ratio"] == 1.0
    assert all(row["cpu_s_per_molecule"] > 0 for row in sections["sampling"])
    assert len(sections["batches"]) == len(NETWORKS) * len(QUICK.batches)
    assert sum(row["best"] for row in sections["batches"]) == len(NETWORKS)
    assert len(sections["atoms"]) == len(NETWORKS) * len(QUICK.atoms)
    assert [row["steps"] for row in sections["loops"]] == [1, 2, 3, 3, 2]

    report.show(result)
    shown = capsys.readouterr().out
    assert "busy before the run" in shown and "SemlaFlow, lean" in shown and " x " in shown


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture(result: dict[str, Any], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"speed{suffix}"
    check(path)
    picture.draw(result, path)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--threads", "0"], "at least 1"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--recipe", "no-such-recipe"], "no-such-recipe"),
        (["-o", "no-such-folder/speed.json"], "no-such-folder"),
        (["--picture", "speed.txt"], "matplotlib" if not available() else ".txt"),
    ],
)
def test_bad_requests(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], model_file: Path
) -> None:
    model = [] if "--model" in arguments else ["--model", str(model_file)]
    assert command.main(["speed", *model, *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


def test_script_is_thin() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 40
    assert os.access(SCRIPT, os.X_OK)


@pytest.mark.slow
def test_script_end_to_end(model_file: Path, recipe: Path, tmp_path: Path) -> None:
    """The real peers, real processes for the allocator."""
    output = tmp_path / "speed.json"
    command = [str(SCRIPT), "speed", "--quick", "--model", str(model_file)]
    done = subprocess.run(
        [*command, "--recipe", str(recipe), "-o", str(output)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "SemlaFlow, lean" in done.stdout and " x " in done.stdout
    rows = json.loads(output.read_text())["sections"]["sampling"]
    assert [row["parameters"] for row in rows[1::2]] == [5_339_920, 23_245_585]
