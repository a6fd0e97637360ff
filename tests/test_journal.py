"""A journal holds whole lines, whatever happens to the process or the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moldiff.errors import InputError
from moldiff.journal import Journal
from tests.disk import small_files


def contents(path: Path) -> list[object]:
    with Journal.open(path) as journal:
        return [json.loads(line) for _, line in journal.lines()]


def test_lines_come_back_by_their_places(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path) as journal:
        places = [journal.append({"k": k, "text": "ä" * k}) for k in range(5)]
        assert json.loads(journal.line(places[3])) == {"k": 3, "text": "äää"}
        assert [place for place, _ in journal.lines()] == places
        journal.append({"k": 5})
        assert json.loads(journal.line(places[0])) == {"k": 0, "text": ""}
    assert [item["k"] for item in contents(path)] == list(range(6))  # type: ignore[index]


def test_a_torn_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path) as journal:
        journal.append({"k": 0})
    with path.open("ab") as file:
        file.write(b'{"k": 1')
    assert contents(path) == [{"k": 0}]
    with Journal.open(path) as journal:
        journal.append({"k": 2})
    assert contents(path) == [{"k": 0}, {"k": 2}]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path) as journal:
        journal.append({"k": 0})
        with small_files(60), pytest.raises(InputError, match="cannot be written"):
            journal.append({"k": 1, "text": "x" * 100})
    assert contents(path) == [{"k": 0}]
    with Journal.open(path) as journal:
        journal.append({"k": 2})
    assert contents(path) == [{"k": 0}, {"k": 2}]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with (
        Journal.open(tmp_path / "journal"),
        pytest.raises(InputError, match="Another process is working on"),
        Journal.open(tmp_path / "journal"),
    ):
        pass
