"""Text files written whole or not at all, and lists of numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moldiff.errors import InputError
from moldiff.text import numbers_of, ranges, replace_text


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


def test_numbers_are_written_as_ranges_and_read_again() -> None:
    assert ranges([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9" and ranges([]) == ""
    assert numbers_of("1-3, 5,8 - 9") == [1, 2, 3, 5, 8, 9]
    for other in ("", "c1ccccc1", "1-", "1,,2", "-3"):
        assert numbers_of(other) is None
