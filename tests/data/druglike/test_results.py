"""Results on disk: durable, complete or absent, in the order of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from moldiff.chem import Rejected
from moldiff.data.druglike import results as module
from moldiff.data.druglike.conformer import Conformer
from moldiff.data.druglike.results import Result, Results
from moldiff.errors import DataError

ROWS = 23


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE", 10)


def result(row: int) -> Result:
    if row % 4 == 1:
        return Rejected(f"reason {row}")
    xyz = np.arange(3 * (row + 1), dtype=np.int16).reshape(-1, 3) - 7
    return Conformer(f"C{row}", xyz, 0.5 * row if row % 2 else float("nan"))


def batch(*rows: int) -> list[tuple[int, Result]]:
    return [(row, result(row)) for row in rows]


@contextmanager
def opened(folder: Path) -> Iterator[Results]:
    with Results.open(folder, ROWS) as results:
        yield results


def check(found: list[tuple[int, Result]], rows: list[int]) -> None:
    assert [row for row, _ in found] == rows
    for row, got in found:
        expected = result(row)
        if isinstance(expected, Rejected):
            assert got == expected
        else:
            assert isinstance(got, Conformer) and got.smiles == expected.smiles
            assert np.array_equal(got.xyz, expected.xyz) and got.xyz.dtype == np.int16
            assert got.drop == pytest.approx(expected.drop, nan_ok=True)


def test_what_is_added_is_there_again(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        assert [list(rows) for rows in results.missing(ROWS)] == [
            list(range(10)),
            list(range(10, 20)),
            [20, 21, 22],
        ]
        results.add(batch(3, 1))
        results.add(batch(12))
        results.add(batch(0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000.jsonl", "00001.jsonl"]
    with opened(tmp_path) as results:
        assert results.count(ROWS) == 4 and results.count(2) == 2
        assert [list(rows) for rows in results.missing(13)] == [[2, 4, 5, 6, 7, 8, 9], [10, 11]]
        check(results.read(0, ROWS), [0, 1, 3])
        check(results.read(0, 2), [0, 1])
        check(results.read(1, ROWS), [12])


def test_what_is_complete_becomes_a_file(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.add(batch(*range(9, 2, -1)))
        assert not list(tmp_path.glob("*.npz"))
        results.add(batch(0, 1, 2))
        assert [p.name for p in tmp_path.iterdir()] == ["00000.npz"]
        results.add(batch(20, 22, 21))  # the last is shorter
        check(results.read(0, ROWS), list(range(10)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000.npz", "00002.npz"]
    with opened(tmp_path) as results:
        assert results.count(ROWS) == 13 and len(results.versions()) == 1
        check(results.read(0, 4), list(range(4)))
        check(results.read(2, ROWS), [20, 21, 22])


def test_a_file_of_reasons_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.add([(row, Rejected("no")) for row in range(10)])
        assert results.read(0, ROWS) == [(row, Rejected("no")) for row in range(10)]


def test_a_kill_loses_what_was_being_written(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.add(batch(3))
        results.add(batch(4))
    journal = tmp_path / "00000.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    (tmp_path / "00001.npz.part").write_bytes(b"half")
    with opened(tmp_path) as results:
        assert results.count(ROWS) == 1
        results.add(batch(*range(3), *range(4, 10)))
        torn = journal.exists()
        check(results.read(0, ROWS), list(range(10)))
    assert not torn
    journal.write_bytes(b"left by a kill between the file and the end of its journal")
    with opened(tmp_path) as results:
        assert results.count(10) == 10 and not journal.exists()


def test_a_damaged_file_says_how_to_go_on(tmp_path: Path) -> None:
    with opened(tmp_path) as results:
        results.add(batch(*range(10)))
        (tmp_path / "00000.npz").write_bytes(b"PK")
        with pytest.raises(DataError, match="Delete it; the same command makes it again"):
            results.read(0, ROWS)
