"""Which cavity holds the ligand: the larger one does not always."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moldiff.protein.sites import FEATURES, binding_sites, distinct, worth_a_look
from moldiff.protein.structure import Residue, Structure
from tests.protein.test_pocket import hollow

LARGE, SMALL = np.array([-9.0, 2.0, 0.0]), np.array([9.0, 0.0, 0.0])
AWAY = np.array([100.0, 0.0, 0.0])


def protein(
    positions: np.ndarray, names: list[str], numbers: list[int], chains: str = "A"
) -> Structure:
    """A structure of atoms that are a residue each; as many copies in chains, 100 Å apart."""
    m, copies = len(positions), len(chains)
    return Structure(
        positions=np.concatenate([positions + k * AWAY for k in range(copies)]).astype(np.float32),
        numbers=np.array(numbers * copies, dtype=np.int16),
        names=("CA",) * (m * copies),
        residue=np.arange(m * copies, dtype=np.int32),
        residues=tuple(
            Residue(chain, k, "", name, "protein")
            for chain in chains
            for k, name in enumerate(names)
        ),
    )


def two_hollows(*, fond: bool, chains: str = "A") -> Structure:
    """A ball with a large and a small hollow; the small one may be lined by what ligands like."""
    x = hollow(20.0, [LARGE, SMALL], 6.5)
    near = (np.linalg.norm(x - SMALL, axis=1) < 10.0) & fond
    names = ["TRP" if here else "LYS" for here in near]
    numbers = [6 if here or not fond else 7 for here in near]
    return protein(x, names, numbers, chains)


@pytest.mark.parametrize(("fond", "expected"), [(False, LARGE), (True, SMALL)])
def test_the_likeliest_cavity_is_not_always_the_largest(fond: bool, expected: np.ndarray) -> None:
    sites = binding_sites(two_hollows(fond=fond))
    assert np.linalg.norm(sites[0].cavity.centre - expected) < 2.5
    chances = [site.chance for site in sites]
    assert sum(chances) == pytest.approx(1.0) and chances == sorted(chances, reverse=True)
    volumes = [site.cavity.volume for site in sites]
    assert (volumes[0] == max(volumes)) is not fond


def test_what_the_chance_is_made_of() -> None:
    """The conditional logit by hand, from features that are what they say."""
    sites = binding_sites(two_hollows(fond=True))
    logits = [sum(FEATURES[name] * x for name, x in site.features.items()) for site in sites]
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose([site.chance for site in sites], expected, rtol=1e-6)
    best = sites[0].features
    assert set(best) == set(FEATURES) and best["rings"] > 0.9 and best["carbon"] > 0.9
    assert 0 < best["burial"] <= 1 and best["metal"] == 0
    assert best["volume"] == pytest.approx(np.log(sites[0].cavity.volume))
    structure = two_hollows(fond=True)
    zinc = Residue("B", 1, "", "ZN", "metal")
    with_metal = Structure(
        positions=np.concatenate([structure.positions, [LARGE + np.array([0, 6.0, 0])]]).astype(
            np.float32
        ),
        numbers=np.append(structure.numbers, np.int16(30)),
        names=(*structure.names, "ZN"),
        residue=np.append(structure.residue, np.int32(len(structure.residues))),
        residues=(*structure.residues, zinc),
    )
    metals = [site.features["metal"] for site in binding_sites(with_metal)]
    assert sum(metals) == 1


def test_copies_of_a_cavity_are_one_place() -> None:
    """Of a dimer's two equal sites one is searched, and their chances are one's."""
    alone = distinct(binding_sites(two_hollows(fond=False)))
    dimer = distinct(binding_sites(two_hollows(fond=False, chains="AB")))
    assert [len(copies) for _, copies in alone[:2]] == [0, 0]
    assert [len(copies) for _, copies in dimer[:2]] == [1, 1]
    site, (copy,) = dimer[0]
    apart = np.abs(site.cavity.centre - copy.cavity.centre)
    assert apart[0] == pytest.approx(100, abs=1.5) and site.copies(copy)
    assert site.chance == pytest.approx(alone[0][0].chance, abs=0.05)
    assert not dimer[0][0].copies(dimer[1][0])


def test_what_is_not_likely_is_not_searched() -> None:
    sites = [site for site, _ in distinct(binding_sites(two_hollows(fond=True)))]
    assert worth_a_look(sites, 1) == 1
    few = worth_a_look(sites, 5)
    assert all(site.chance < 0.01 * sites[0].chance for site in sites[few:5])
    assert binding_sites(protein(np.zeros((3, 3)), ["ALA"] * 3, [6] * 3)) == []
    faint = [replace(sites[0], chance=chance) for chance in (0.2, 0.03, 0.009)]
    assert worth_a_look(faint, 5) == 2, "less likely than a twentieth of the likeliest, not of 1"


def test_a_cavity_that_is_open_is_less_buried_than_a_closed_one() -> None:
    structure = two_hollows(fond=False)
    x = np.asarray(structure.positions)
    closed = binding_sites(structure)
    tunnel = (x[:, 0] > SMALL[0]) & (np.linalg.norm(x[:, 1:] - SMALL[1:], axis=1) < 4.0)
    opened = binding_sites(structure.subset(~tunnel))
    burial = [
        min(sites, key=lambda s: np.linalg.norm(s.cavity.centre - SMALL)).features["burial"]
        for sites in (closed, opened)
    ]
    assert burial[0] > burial[1]
