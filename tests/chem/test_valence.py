"""Valences follow from the number of electrons, and agree with the protocol's table."""

from __future__ import annotations

import pytest

from moldiff.chem.valence import valence_table, valences
from moldiff.chem.vocabulary import QM9, Vocabulary
from moldiff.metrics import graph

# Of QM9's elements, as protocol B was first written down.
QM9_VALENCES = {
    ("H", 0): {1},
    ("C", 0): {4},
    ("C", 1): {3},
    ("C", -1): {3},
    ("N", 0): {3},
    ("N", 1): {4},
    ("N", -1): {2},
    ("O", 0): {2},
    ("O", 1): {3},
    ("O", -1): {1},
    ("F", 0): {1},
}


@pytest.mark.parametrize(("atom", "allowed"), QM9_VALENCES.items(), ids=str)
def test_they_are_those_of_the_metric(atom: tuple[str, int], allowed: set[int]) -> None:
    assert valences(*atom) == allowed


@pytest.mark.parametrize("element", "HCNOF")
def test_the_metric_allows_qm9s_elements_nothing_else(element: str) -> None:
    for charge in range(-3, 4):
        assert graph.allowed(element, charge) == QM9_VALENCES.get((element, charge), set())


@pytest.mark.parametrize(
    ("element", "charge", "allowed"),
    [
        ("S", 0, {2, 4, 6}),
        ("S", -1, {1}),
        ("P", 0, {3, 5}),
        ("P", 1, {4}),
        ("Cl", 0, {1}),
        ("Br", 0, {1}),
        ("I", 0, {1, 3, 5}),
        ("B", 0, {3}),
        ("B", -1, {4}),
        ("Si", 0, {4}),
        ("Cl", -1, set()),  # a salt's ion has no bond
        ("Na", 1, set()),
        ("Fe", 0, set()),
        ("He", 0, set()),
        ("*", 0, set()),
        ("Xx", 0, set()),
    ],
)
def test_the_metric_knows_the_elements_of_drugs(
    element: str, charge: int, allowed: set[int]
) -> None:
    assert graph.allowed(element, charge) == allowed


@pytest.mark.parametrize(
    ("element", "charge", "allowed"),
    [
        ("S", 0, {2, 4, 6}),
        ("P", 0, {3, 5}),
        ("Cl", 0, {1}),
        ("B", -1, {4}),
        ("H", 1, {0}),
        ("Na", 1, {0}),
        ("Na", 0, set(range(13))),
        ("Fe", 2, set(range(13))),
    ],
)
def test_of_other_atoms(element: str, charge: int, allowed: set[int]) -> None:
    assert valences(element, charge) == allowed


def test_the_table_has_the_order_of_the_vocabulary() -> None:
    table = valence_table(QM9)
    assert table.shape == (5, 3, 5)
    nitrogen = table[QM9.elements.index("N")]
    by_charge = {q: list(nitrogen[c].nonzero()[0]) for c, q in enumerate(QM9.charges)}
    assert by_charge == {-1: [2], 0: [3], 1: [4]}


def test_a_metal_may_have_any_valence_beside_elements_that_may_not() -> None:
    table = valence_table(Vocabulary(("C", "Zn"), (0,)))
    assert table.shape == (2, 1, 13)
    assert list(table[0, 0].nonzero()[0]) == [4] and table[1].all()


def test_folded_hydrogens_are_bonds_already() -> None:
    folded = Vocabulary(("C", "C", "N", "O"), (0, 1), (3, 0, 3, 2))
    table = valence_table(folded)
    assert [list(row[0].nonzero()[0]) for row in table] == [[1], [4], [0], [0]]
    assert list(table[2, 1].nonzero()[0]) == [1]  # an ammonium group on a carbon
