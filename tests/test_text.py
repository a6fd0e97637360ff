"""Text files written whole or not at all, and their sections."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moldiff.errors import InputError
from moldiff.text import around_section, markdown_table, replace_section, replace_text

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
    with pytest.raises(InputError, match="no place") as caught:
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


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "first \udce9")  # a lone surrogate, from a name that was not UTF-8
    before = path.read_text()

    def broken(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(InputError, match="No space left"):
        replace_text(path, "second")
    assert path.read_text() == before and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_tables() -> None:
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert "| --- | --: |" in markdown_table(("a", "b"), [], numbers_from=1)
