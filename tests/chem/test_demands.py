"""Demands: comparisons as intervals, and elements that molecules do without."""

from __future__ import annotations

import math

import pytest

from moldiff.chem import QM9
from moldiff.chem.demands import (
    Interval,
    as_interval,
    compared,
    demand_line,
    is_count,
    parse_demand,
)
from moldiff.chem.elements import classes_without, others
from moldiff.chem.properties import PROPERTIES, properties
from moldiff.chem.vocabulary import Vocabulary
from moldiff.errors import InputError

FOLDED = Vocabulary(("C", "C", "N", "Br"), (0,), (2, 3, 1, 0))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("logp=2.5", "logp = 2.5"),
        (" logp < 3 ", "logp <= 3"),
        ("logp>=-0.5", "logp >= -0.5"),
        ("tpsa=60..90", "tpsa = 60..90"),
        ("tpsa = -1.5 .. 1e2", "tpsa = -1.5..100"),
        ("rings<3", "rings <= 2"),
        ("rings<=2.5", "rings <= 2"),
        ("rings>2", "rings >= 3"),
        ("rings<=0", "rings = 0"),
        ("rings=1..3", "rings = 1..3"),
        ("gap<3", "gap <= 3"),
        ("gap of b=3", "gap of b = 3"),
    ],
)
def test_comparisons(text: str, line: str) -> None:
    name, interval = parse_demand(text)
    assert demand_line(name, interval) == line
    assert parse_demand(line) == (name, interval)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("logp", "not a condition: it is not one property compared with one value"),
        ("=3", "not one property compared"),
        ("logp=", "not one property compared"),
        ("1<logp<3", "not one property compared"),
        ("logp==3", "not one property compared"),
        ("logp=high", "'high' is neither a number nor a range"),
        ("logp<3..4", "a range goes with '=', not with '<'"),
        ("logp=nan", "finite number"),
        ("logp<inf", "finite number"),
        ("tpsa=90..60", "smaller bound first"),
        ("rings=2.5", "'rings' is a count, and cannot be 2.5"),
        ("rings=-1", "'rings' is a count, and cannot be -1"),
        ("rings<0", "No value of 'rings' is below 0"),
        ("rings=1.2..1.8", "between 1.2 and 1.8"),
    ],
)
def test_what_is_no_comparison(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_demand(text)


def test_about() -> None:
    assert compared("heavy_atoms", "~", 25) == Interval(22, 28)
    assert compared("rings", "~", 0) == Interval(0, 1)
    assert compared("logp", "~", 0.0) == Interval(0, 0)


def test_intervals() -> None:
    below, above = Interval(high=3), Interval(low=3)
    assert below.meet(above) == as_interval(3) == Interval(3, 3)
    assert Interval(high=2.9).meet(above) is None
    assert 3 in below and 3.1 not in below and -1e9 in below
    assert [i.plain() for i in (below, above, Interval(1, 2.5), as_interval(2))] == [
        "<= 3", ">= 3", "1..2.5", 2,
    ]  # fmt: skip
    assert [str(i) for i in (below, Interval(1, 2.5), as_interval(20), as_interval(2.5))] == [
        "<= 3", "1..2.5", "20", "2.5",
    ]  # fmt: skip
    for wrong in ((2, 1), (math.nan, 1), (-math.inf, math.inf), (math.inf, math.inf)):
        with pytest.raises(InputError, match="no finite number"):
            Interval(*wrong)


@pytest.mark.parametrize("name", PROPERTIES)
def test_counts_are_whole_and_measured_numbers_are_not(name: str) -> None:
    smiles = ("CC(=O)Nc1ccc(O)cc1", "CN1CCCC1c1cccnc1", "CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    values = [properties(s, [name])[0] for s in smiles]
    assert all(value == int(value) for value in values) == is_count(name)


def test_elements_that_are_left() -> None:
    assert classes_without(["O", "F"], QM9) == [0, 1, 2]
    assert classes_without(["H"], QM9) == [1, 2, 3, 4]
    assert classes_without(["C"], FOLDED) == [2, 3]  # all classes of it
    assert others(["C", "N"], QM9) == ("O", "F") and others(["C"], FOLDED) == ("N", "Br")
    with pytest.raises(InputError, match=r"has no element 'Cl'.*H, C, N, O, F"):
        classes_without(["Cl"], QM9)
    with pytest.raises(InputError, match="has no element 'c'"):
        others(["c"], QM9)
    with pytest.raises(InputError, match="belong to the classes of other atoms"):
        classes_without(["H"], FOLDED)
    with pytest.raises(InputError, match="no element left"):
        classes_without(["C", "N", "O", "F"], QM9)  # hydrogen alone is no molecule
