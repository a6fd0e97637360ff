"""Which molecules are taken, and why others are not."""

from __future__ import annotations

import pytest

from moldiff.chem import Rejected
from moldiff.data.druglike.selection import (
    Candidate,
    Source,
    draw,
    neutral_form,
    scaffold,
    shuffled,
)


@pytest.mark.parametrize(
    ("smiles", "form"),
    [
        ("CC(=O)[O-].C1CCCCC1", "more than one piece"),
        ("[O-]C(=O)c1ccc(cc1)C[NH3+]", "NCc1ccc(C(=O)O)cc1"),
        ("c1ccccc1CCCC[N+](=O)[O-]", "O=[N+]([O-])CCCCc1ccccc1"),
        ("[2H]C([2H])([2H])c1ccc(cc1)C(=O)O", "Cc1ccc(C(=O)O)cc1"),
        ("C[C@H](N)c1ccccc1C", "Cc1ccccc1[C@H](C)N"),
        ("CCCCCCCCC", "too small: 9 heavy atoms"),
        ("C" * 41, "too large: 41 heavy atoms"),
        ("CCCCCCCCCC[N+](C)(C)C", "net charge: +1"),
        ("CCCCCCCCCC[Si](C)(C)C", "element: Si"),
        ("CCCCCCCCCC[CH2]", "radical"),
        ("C1CCCCCCCCCCCC1", "large ring: 13 atoms"),
        ("C1CCCCCCCCCCC1", "C1CCCCCCCCCCC1"),
        ("C(C", "unreadable SMILES"),
        ("", "unreadable SMILES"),
    ],
)
def test_neutral_forms(smiles: str, form: str) -> None:
    found = neutral_form(smiles)
    assert (found.reason if isinstance(found, Rejected) else found) == form


def test_no_more_than_some_of_a_scaffold_and_none_twice() -> None:
    source = Source("x", "", "", most=4, of_a_scaffold=2, listed=True)
    candidates = [
        Candidate("a1", "a"),
        Candidate("a1", "a"),
        Candidate(reason="too small: 9 heavy atoms", name="line 3"),
        Candidate("a2", "a"),
        Candidate("a3", "a", name="line 5"),
        Candidate("b0", "b"),
        Candidate("b1", "b"),
        Candidate("c1", "c"),
        Candidate("c2", "c"),
    ]
    seen = {"b0"}
    told: list[tuple[int, int]] = []
    drawn = draw(source, candidates, seen, lambda *numbers: told.append(numbers))
    assert drawn.smiles == ["a1", "a2", "b1", "c1"] and seen == {"a1", "a2", "b0", "b1", "c1"}
    assert drawn.left_out == {"taken before": 2, "too small": 1, "enough of its scaffold": 1}
    assert ("line 3", "too small: 9 heavy atoms") in drawn.listed
    assert ("line 5", "enough of its scaffold") in drawn.listed
    assert told == [(0, 0), (8, 4)]
    assert draw(Source("y", "", ""), candidates[:3], seen).listed == []


def test_the_order_is_fixed_and_mixes_the_sources() -> None:
    parts = [
        draw(Source(name, "", ""), [Candidate(f"{name}{k}") for k in range(50)], set())
        for name in "ab"
    ]
    rows = shuffled(parts)
    assert rows == shuffled(parts) and len(set(rows)) == 100
    assert {source for _, source in rows[:20]} == {0, 1}
    assert all(smiles[0] == "ab"[source] for smiles, source in rows)


def test_scaffolds() -> None:
    assert scaffold("CC(C)CCCCCCC") == ""
    assert scaffold("C[C@H](N)c1ccccc1C") == scaffold("c1ccccc1") == "c1ccccc1"
    assert scaffold("C[C@@H]1CCC[C@H](c2ccccc2)N1") == "c1ccc(C2CCCCN2)cc1"
