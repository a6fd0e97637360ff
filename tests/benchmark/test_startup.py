"""What starting costs: a number for each command, and its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from moldiff.benchmark import startup
from moldiff.benchmark.__main__ import main


@pytest.mark.skipif("sys.platform == 'win32'", reason="asks the system what a process has used")
def test_a_command_is_measured_in_turns(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["startup", "--only", "help", "--repeat", "1", "--parts", "2"]
    assert main([*words, "--against", str(startup.ROOT)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("help: 0.") and "ratio: " in lines[2]
    assert len(lines) == 5
    assert any(line.endswith("typer") for line in lines)


def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["startup", "--against", str(tmp_path)]) == 2
    assert "no moldiff" in capsys.readouterr().err


def test_imports_are_counted_by_package(tmp_path: Path) -> None:
    found = startup.parts(startup.COMMANDS["help"], str(tmp_path))
    assert found["typer"] > 0 and "torch" not in found and "torch._C" not in found
