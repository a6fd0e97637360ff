"""Residues by what users call them: one rule for the numbers of a range, wherever it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from moldiff.backbones.contig import motif_of
from moldiff.protein.absent import absent_residues
from moldiff.protein.read import contents_of
from moldiff.protein.rebuilt import chosen_residues
from moldiff.protein.selection import between, named, place
from moldiff.protein.structure import Residue
from moldiff.protein.trace import trace
from moldiff.sequences.backbones import template
from tests.backbones import backbone
from tests.proteins import pdb_lines

#: The eleventh residue is 10A, and the numbers go on from there.
LABELS = [*((k + 1, "") for k in range(10)), (10, "A"), *((k, "") for k in range(11, 30))]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("9", "11", range(8, 12)),
        ("10a", "11", range(10, 12)),
        ("10", "10A", range(9, 11)),
        ("10A", "10a", range(10, 11)),
        ("11", "10A", range(0)),
        ("9", "10b", "10b"),
        ("0", "10b", "0"),
    ],
)
def test_numbers_of_a_range(first: str, last: str, expected: range | str) -> None:
    residues = [Residue("A", number, code, "ALA", "protein") for number, code in LABELS]
    assert between(residues, first, last) == expected


def test_of_residues_with_the_same_number_it_is_the_first() -> None:
    residues = [Residue("A", number, "", "ALA", "protein") for number in (3, 4, 4, 5, 3)]
    assert between(residues, "4", "5") == range(1, 4) and between(residues, "3", "3") == range(1)


def test_codes_of_insertion_in_either_case(tmp_path: Path) -> None:
    """Where residues are built anew, kept in a sequence, or made a motif."""
    path = tmp_path / "coded.pdb"
    path.write_text(pdb_lines(backbone(30, seed=3), labels=LABELS))
    structure = contents_of(path.read_bytes(), path).structure
    whole = absent_residues(structure, trace(structure), {})
    (anew,) = chosen_residues(structure, trace(structure), ["A:10a-12"], whole).absent
    assert anew.replaced == (10, 11, 12)
    read = template(path, fix=["A:10a-12"])
    assert [place(read.residues[k]) for k in (~read.designed).nonzero()[0]] == [
        "A:10A",
        "A:11",
        "A:12",
    ]
    assert [place(r) for r in motif_of(path, "5/A10a-12/5").residues] == ["A:10A", "A:11", "A:12"]


def test_without_names_of_chains_a_number_is_enough(tmp_path: Path) -> None:
    """As residues are called then, in notes too."""
    nameless = [Residue("", k, "", name, "cofactor") for k, name in ((7, "LIG"), (7, "HOH"))]
    assert place(nameless[0]) == "7" and str(nameless[0]) == "7 LIG"
    assert named(nameless, "7") == named(nameless, ":7") == [0, 1]
    path = tmp_path / "nameless.pdb"
    path.write_text(pdb_lines(backbone(30, seed=3), name=" "))
    structure = contents_of(path.read_bytes(), path).structure
    whole = absent_residues(structure, trace(structure), {})
    for text in ("10-12", ":10-12"):
        (anew,) = chosen_residues(structure, trace(structure), [text], whole).absent
        assert anew.replaced == (9, 10, 11) and str(anew) == "10-12"
        read = template(path, fix=[text])
        assert (~read.designed).nonzero()[0].tolist() == [9, 10, 11]
    assert named([Residue("A", 7, "", "LIG", "cofactor"), *nameless], "7") == []
