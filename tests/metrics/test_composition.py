"""Shares, means and total variation distances of known molecules."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from rdkit import Chem

from moldiff.metrics.composition import COLUMNS, Composition, Counts, count, histograms, measure
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.sample import samples
from moldiff.metrics.value import Value, bootstrap_distance

#: benzonitrile, glycine, cyclopropane with F and Cl, butane, spiro[3.3]heptane, thiepine
SMILES = ("N#Cc1ccccc1", "[NH3+]CC(=O)[O-]", "FC1CC1Cl", "CCCC", "C1CC2(C1)CCC2", "C1=CC=CSC=C1")
NAMES = {column.name: column for column in COLUMNS}


def composition(*smiles: str, data: dict | None = None) -> Composition:
    mols = [Chem.AddHs(Chem.MolFromSmiles(s)) for s in smiles]
    return measure(samples(mols), data)


def value(name: str, *smiles: str, data: dict | None = None) -> Value:
    return NAMES[name].function(composition(*(smiles or SMILES), data=data))


@pytest.mark.parametrize(
    ("name", "of_six"),
    [
        ("aromatic", 1), ("acyclic", 2), ("triple_bond", 1), ("charged", 1), ("with_nitrogen", 2),
        ("with_oxygen", 1), ("with_fluorine", 1), ("with_sulfur", 1), ("with_halogen", 1),
    ],
)  # fmt: skip
def test_shares(name: str, of_six: int) -> None:
    found = value(name)
    assert found.value == pytest.approx(of_six / 6) and found.n == 6
    assert found.low < found.value < found.high  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("nitrogens", 2), ("oxygens", 2), ("fluorines", 1), ("heavy_atoms", 8 + 5 + 5 + 4 + 7 + 7),
        ("rings", 5), ("rings_3", 1), ("rings_4", 2), ("rings_5", 0), ("rings_6", 1),
        ("rings_7_up", 1),
    ],
)  # fmt: skip
def test_means(name: str, total: int) -> None:
    found = value(name)
    assert found.value == pytest.approx(total / 6) and found.n == 6


def test_rings_are_shares_of_all_rings_and_their_interval_resamples_molecules() -> None:
    assert value("share_rings_4").value == pytest.approx(2 / 5) and value("share_rings_4").n == 5
    assert value("share_rings_7_up").value == pytest.approx(1 / 5)
    assert value("share_rings_5").value == 0
    assert value("share_rings_6", "CCCC").reason == "no rings"
    # all six-membered rings in one of two molecules: any share of 0 to 1 is possible
    found = value("share_rings_6", "c1ccc2ccccc2c1", "C1CC1")
    assert found.value == pytest.approx(2 / 3) and (found.low, found.high) == (0, 1)


def test_spread_is_the_standard_deviation() -> None:
    assert value("heavy_atoms_spread").value == pytest.approx(np.std([8, 5, 5, 4, 7, 7]))


def test_sizes_from_seven_on_are_together() -> None:
    assert value("rings_7_up", "C1CCCCCCCCCCC1").value == 1


def test_charges_count_in_any_atom_and_hydrogens_do_not_count() -> None:
    row = count(samples([Chem.AddHs(Chem.MolFromSmiles("C[N+](=O)[O-]"))])[0])
    assert row is not None and row.charges == Counter({0: 2, 1: 1, -1: 1}) and row.heavy == 4
    assert value("charged", "C[N+](=O)[O-]").value == 1
    assert value("charged", "[H][H]").value == 0


def test_only_what_can_be_sanitised_counts(hand_made: dict[str, Chem.Mol | None]) -> None:
    mols = [
        hand_made[name] for name in ("benzene", "five-valent", "nothing", "empty", "not finite")
    ]
    found = measure(samples(mols), None)
    assert NAMES["aromatic"].function(found) == value("aromatic", "c1ccccc1", "CO")
    assert found.failures() == ["cannot be sanitised"] * 3
    nothing = NAMES["aromatic"].function(measure(samples(mols[1:3]), None))
    assert nothing.reason == "no molecule can be sanitised"


def test_distances_are_half_the_difference_of_the_frequencies() -> None:
    data = histograms(composition("CCO", "C[O-]").rows)  # C 3 of 5, O 2 of 5; charges 1 of 5
    assert value("element_distance", "CN", data=data).value == pytest.approx(
        (abs(0.5 - 0.6) + 0.4 + 0.5) / 2
    )
    assert value("charge_distance", "CC", "C[NH3+]", data=data).value == pytest.approx(
        (abs(3 / 4 - 4 / 5) + 1 / 5 + 1 / 4) / 2
    )
    assert value("heavy_atoms_distance", "CCC", "CCCC", data=data).value == pytest.approx(0.5)
    assert value("ring_size_distance", "CCC", data=data).reason == "no rings"
    for name in ("element_distance", "charge_distance", "heavy_atoms_distance"):
        same = value(name, "CCO", "C[O-]", data=data)
        assert same.value == pytest.approx(0, abs=1e-12) and same.low == 0 and same.n == 2


def test_ring_sizes_are_weighed_by_rings() -> None:
    data = histograms(composition("C1CC1", "c1ccc2ccccc2c1").rows)
    found = value("ring_size_distance", "C1CC1", "C1CCCCC1", "CC", data=data)
    assert found.value == pytest.approx((abs(1 / 2 - 1 / 3) + abs(1 / 2 - 2 / 3)) / 2)
    assert found.n == 2  # molecules with rings


def test_the_aromatic_share_is_compared_with_its_sign() -> None:
    data = histograms(composition("c1ccccc1", "CC", "CO", "CN").rows)
    found = value("aromatic_difference", "CC", "CO", data=data)
    assert found.value == pytest.approx(-0.25)
    share = value("aromatic", "CC", "CO")
    assert found.low == pytest.approx(share.low - 0.25)  # type: ignore[operator]
    assert found.high == pytest.approx(share.high - 0.25)  # type: ignore[operator]
    assert value("aromatic_difference", "c1ccncc1", data=data).value == pytest.approx(0.75)


def test_without_a_reference_or_with_one_that_is_older() -> None:
    names = [name for name in NAMES if "distance" in name or "difference" in name]
    assert len(names) == 5
    for name in names:
        assert value(name).reason == value(name, data={}).reason == "no reference"


def test_ring_systems_that_the_data_lacks() -> None:
    known = SmilesSet.of(
        system for row in composition("Cc1ccccc1", "C1CC1").known for system in row.systems
    )
    mols = [
        Chem.AddHs(Chem.MolFromSmiles(s))
        for s in ("c1ccccc1C1CC1", "C1CCC1c1ccccc1", "CC", "C1CNC1")
    ]
    found = NAMES["unseen_ring_system"].function(measure(samples(mols), None, known))
    assert found.value == 2 / 4 and found.n == 4
    assert value("unseen_ring_system").reason == "no reference"


def test_charges_have_places_of_their_own_and_end_at_eight() -> None:
    charges = (-20, -8, -1, 0, 1, 8, 20)
    rows = [
        Counts(Counter({6: 1}), Counter({q: 1}), Counter(), frozenset(), False, False)
        for q in charges
    ]
    found = histograms(rows)["composition/charge"]
    assert found[[0, 7, 8, 9, 16]] == pytest.approx(np.array([2, 1, 1, 1, 2]) / 7)
    assert len(found) == 17


def test_the_interval_of_a_distance_holds_it_and_falls_with_the_sample() -> None:
    rng = np.random.default_rng(0)

    def interval(n: int, share: float) -> Value:
        rows = np.eye(2)[(rng.random(n) < share).astype(int)]
        return bootstrap_distance(rows, lambda r: float(abs(r[:, 1].mean() - 0.3)))

    small, large, off = interval(30, 0.3), interval(3000, 0.3), interval(3000, 0.5)
    for found in (small, large, off):
        assert 0 <= found.low <= found.value <= found.high  # type: ignore[operator]
    assert small.high > 0.1 > 0.03 > large.high and large.low == 0  # type: ignore[operator]
    assert 0.17 < off.low < off.value - 0.01 < off.value + 0.01 < off.high < 0.23  # type: ignore[operator]
    assert bootstrap_distance(np.zeros((0, 2)), np.max).reason == "no molecules"
