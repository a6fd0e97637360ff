"""Text files written whole or not at all, and lists of numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moldiff.chem.demands import Interval
from moldiff.chem.where import parse_where
from moldiff.cli.options import conditions, sizes
from moldiff.cli.pocket import addition
from moldiff.errors import InputError
from moldiff.metrics.bands import parse_bands
from moldiff.text import ends, number_of, numbers_of, ranges, replace_text, replacing, rising


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
    with (
        pytest.raises(InputError, match=r"Cannot write '.*a\.txt': the encoder failed\."),
        replacing(path),
    ):
        raise OSError("the encoder failed")  # as Pillow's, without a number
    assert path.read_text() == before and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_numbers_are_written_as_ranges_and_read_again() -> None:
    assert ranges([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9" and ranges([]) == ""
    assert numbers_of("1-3, 5,8 - 9") == [1, 2, 3, 5, 8, 9]
    for other in ("", "c1ccccc1", "1-", "1,,2", "-3"):
        assert numbers_of(other) is None


def test_a_number_is_read_where_a_text_can_be_nothing_else() -> None:
    read = {
        "7": 7,
        " -12 ": -12,
        "0": 0,
        "0.50": 0.5,
        "1e-05": 1e-5,
        "-1.5E+06": -1.5e6,
        "7.0": 7.0,
    }
    for text, number in read.items():
        found = number_of(text)
        assert found == number and type(found) is type(number)
    names = ("0001234", "1E5", "2e10", "１２", "1_0", "", "-", "nan", "inf", "1e+999", "CHEMBL25")
    for text in (*names, "12345678901234567890", "9" * 5000):
        assert number_of(text) is None


@pytest.mark.parametrize("text", ["3..10", "3-10", " 3 .. 10 ", "3 - 10"])
def test_a_range_is_written_in_either_way_wherever_one_is_asked_for(text: str) -> None:
    assert ends(text) == ("3", "10")
    assert numbers_of(text) == list(range(3, 11))
    assert sizes(text.strip()) == addition(text) == Interval(3, 10)
    assert parse_bands(text) == ((3, 10),)
    assert conditions([f"rings={text}"]) == {"rings": Interval(3, 10)}
    assert str(parse_where(f"rings = {text}")) == str(parse_where("rings = 3..10"))


def test_what_is_written_backwards_is_put_right_as_help_writes_it() -> None:
    with pytest.raises(InputError, match=r"The range 6-1 ends below.*Write 1-6\."):
        rising("9, 6..1")
    for text in ("10..3", "10-3"):
        with pytest.raises(InputError, match=r"The range 10\.\.3 ends below.*Write 3\.\.10\."):
            addition(text)


def test_a_minus_is_no_dash() -> None:
    for text in ("-3", "1e-5", "5", "C-C", ""):
        assert ends(text) == (text,)
    assert ends("-3..-1") == ends("-3--1") == ("-3", "-1")
