"""Sections, tables, plain values, the machine and empty pictures."""

from __future__ import annotations

import json
import math
import os
from importlib.metadata import version
from pathlib import Path

import pytest

from moldiff.errors import InputError
from moldiff.report.document import now, plain, write
from moldiff.report.machine import cpu_name, installed
from moldiff.report.markdown import around_section, markdown_table, percent, replace_section
from moldiff.report.picture import available, canvas, check

BEGIN, END = "<!-- part:begin -->", "<!-- part:end -->"


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"above\r\n{BEGIN}\r\nstale\n{END}\nbelow\n", newline="")
    replace_section(path, "part", "new\n")
    assert path.read_bytes().decode() == f"above\r\n{BEGIN}\nnew\n{END}\nbelow\n"
    replace_section(path, "part", "newer\n")
    assert path.read_bytes().decode() == f"above\r\n{BEGIN}\nnewer\n{END}\nbelow\n"


@pytest.mark.parametrize(
    "text", ["nothing", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n" * 2, f"{BEGIN}\n"]
)
def test_a_file_without_the_section_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(InputError, match="lacks the place") as caught:
        replace_section(path, "part", "new\n")
    assert BEGIN in caught.value.fix and path.read_text() == text


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9" + BEGIN.encode())
    for path in (tmp_path / "latin", tmp_path / "missing", tmp_path):
        with pytest.raises(InputError, match=r"Cannot read '.*'"):
            around_section(path, "part")


@pytest.mark.skipif(os.name != "posix", reason="links and permissions as POSIX has them")
def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_text(f"{BEGIN}\n{END}\n")
    link.symlink_to(real)
    replace_section(link, "part", "new\n")
    assert link.is_symlink() and "new" in real.read_text()


def test_tables() -> None:
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert "| --- | --: |" in markdown_table(("a", "b"), [], numbers_from=1)


def test_shares_are_in_per_cent() -> None:
    assert [percent(share) for share in (0.0, 0.12345, 1.0, None)] == ["0.0", "12.3", "100.0", "–"]


def test_documents_hold_plain_values(tmp_path: Path) -> None:
    value = {"a": [1.23456789, math.nan, (2, True)], "b": {"c": -math.inf, "d": None, "e": "x"}}
    expected = {"a": [1.2346, None, [2, True]], "b": {"c": None, "d": None, "e": "x"}}
    assert plain(value) == expected
    assert plain(1.23456789, digits=6) == 1.23457
    write(plain(value), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == expected
    with pytest.raises(InputError, match="Cannot write"):
        write({}, tmp_path / "none" / "a.json")


def test_dates_are_utc() -> None:
    assert now().endswith("+00:00") and len(now()) == len("2024-01-01T00:00:00+00:00")


def test_the_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 3: fast\n")
    assert cpu_name(tmp_path / "cpuinfo") == "Abacus 3: fast"
    assert cpu_name(tmp_path / "nothing") != ""
    assert cpu_name()


def test_what_is_installed_has_a_version() -> None:
    assert installed("numpy") == version("numpy")
    assert installed("no-such-package-anywhere") is None


@pytest.mark.skipif(not available(), reason="without matplotlib")
def test_a_picture_needs_a_known_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown suffix"):
        check(tmp_path / "a.txt")
    check(tmp_path / "a.svg")
    figure = canvas(2, 1)
    figure.savefig(tmp_path / "a.svg")
    assert tuple(figure.get_size_inches()) == (2, 1) and (tmp_path / "a.svg").stat().st_size > 0
