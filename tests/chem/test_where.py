"""Conditions as text: what they mean, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from moldiff.chem.properties import PROPERTIES
from moldiff.chem.where import parse_where, property_of
from moldiff.errors import InputError

TEXTS = {"<hbond>": "A:ARG611 A:GLN570", "<required>": "met", "<gap>": "5.0"}
VALUES = {"weight": 300.0, "n_Cl": 1.0, "sa": 3.5, "rings": 2.0, "<gap>": 5.0, "<a b>": None}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("mw>250 & n_Cl>=1 & sa<4", True),
        ("250 < MW <= 300 and Cl = 1", True),
        ("mw < 300", False),  # exactly, unlike the intervals a model is asked for
        ("300 > molecular_weight", False),
        ("rings = 1..3", True),
        ("rings != 2 | <gap> = 5", True),
        ("rings != 2 || not <gap> = 5", False),
        ("rings = 2 | sa > 9 & mw > 999", True),  # "and" binds first
        ("(rings = 2 | sa > 9) & mw > 999", False),
        ("!(rings == 3) & ~sa>4", True),
        ("3 < <gap>", True),
        ("<gap> ≥ -5e0", True),
        ("<a b> < 1", None),
        ("not <a b> < 1", None),
        ("<a b> < 1 | rings = 2", True),
        ("<a b> < 1 & rings = 3", False),
    ],
)
def test_meaning(text: str, holds: bool | None) -> None:
    condition = parse_where(text)
    assert condition.holds(VALUES) is holds
    assert parse_where(str(condition)).holds(VALUES) is holds  # what is told can be read
    assert condition.names() <= set(VALUES)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('<hbond> has "ARG611"', True),
        ("<hbond> HAS 'a:arg611'", True),
        ("<hbond> has 'GLN57'", False),  # a residue, not the beginning of one
        ("<hbond> has 'A:GLN570' & <gap> < 6 & <required> = \"MET\"", True),
        ("<hbond> has 'A:611'", True),  # as --require has it
        ("<hbond> has 'a:570'", True),
        ("<hbond> has 'B:611' | <hbond> has 'A:61'", False),
        ("<hbond> has '611'", False),  # of what does not stand by itself a residue with its chain
        ("not <hbond> has 'LYS1'", True),
        ("<required> != 'met' | rings = 2", True),
        ("<salt_bridge> has 'ARG611'", False),  # a record that lacks it has none
        ("<salt_bridge> = 'ARG611'", False),
        ("<salt_bridge> != 'ARG611'", True),
        ("<gap> = '5.0'", True),
        ("<gap> = '5'", False),
    ],
)
def test_texts_of_data_fields(text: str, holds: bool) -> None:
    condition = parse_where(text)
    assert condition.holds(VALUES, TEXTS) is holds
    assert parse_where(str(condition)).holds(VALUES, TEXTS) is holds


def test_a_conjunction_has_parts_and_less_than_is_no_field() -> None:
    condition = parse_where("1<rings & (mw>250 & sa<4)")
    assert [str(part) for part in condition.parts()] == ["rings > 1", "mw > 250", "sa < 4"]
    assert [str(p) for p in parse_where("mw>1 | sa<4").parts()] == ["(mw > 1 | sa < 4)"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is missing"),
        ("mw", "nothing to compare"),
        ("<hbond> has ARG611", "a text in quotes is missing"),
        ("<required> = met", "There is no property|a text in quotes"),
        ("<required> > 'met'", "compared by '=', '!=' or 'has'"),
        ("<required> = ' '", "the text is empty"),
        ("mw = 'met'", "is missing"),
        ("mw > ", "is missing"),
        ("mw > 3)", "nothing can stand there"),
        ("(mw > 3", "bracket is not closed"),
        ("mw > 3 sa < 4", "nothing can stand there"),
        ("3 > 2", "a name and a number"),
        ("mw > sa", "a name and a number"),
        ("mw < 60..90", "a range stands with"),
        ("mw = 60..", "a range stands between"),
        ("mww > 3", "Did you mean 'mw'"),
        ("gap > 3", "written <gap>"),
        ("mw = 250", "mw = 249.9..250.1"),
        ("rings < 0", "No value"),
        ("rings = 2.5", "count"),
        ("tpsa = 90..60", "smaller bound first"),
    ],
)
def test_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_where(text)


@given(st.text(alphabet="mwsa<>=!&|()1.~ gpnoth'", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_where(text).holds(VALUES)


@pytest.mark.parametrize("name", [*PROPERTIES, "atoms", "charge", "n_H", "n_Si"])
def test_every_property_can_be_compared(name: str) -> None:
    mol = Chem.MolFromSmiles("C[Si](C)(C)CC[NH3+]")
    assert parse_where(f"{name} >= 0").names() == {name}
    value = property_of(name).of(mol)
    known = {"atoms": 23, "charge": 1, "n_H": 16, "n_Si": 1}
    assert value == known.get(name, value)


@pytest.mark.parametrize("name", ["atoms", "n_H"])
def test_counting_atoms_says_nothing(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert property_of(name).of(Chem.MolFromSmiles("CCO")) in (6, 9)
    assert capfd.readouterr() == ("", ""), "RDKit warns of arguments that it takes no longer"
