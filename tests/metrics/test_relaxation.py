"""Relaxation of minima, of strained molecules, and of what cannot be relaxed."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from moldiff.metrics.relaxation import MMFF94, Relaxation, Relaxed, measure
from moldiff.metrics.sample import samples


def test_a_minimum_stays_and_a_strained_molecule_moves(
    hand_made: dict[str, Chem.Mol | None],
) -> None:
    ethanol = hand_made["ethanol"]
    assert ethanol is not None
    rest = MMFF94.relax(ethanol)
    assert abs(rest.drop) < 1e-2 and rest.rmsd < 1e-2
    strained = Chem.Mol(ethanol)
    conformer = strained.GetConformer()
    x, y, z = conformer.GetAtomPosition(2)
    conformer.SetAtomPosition(2, (x + 0.3, y, z))
    before = strained.ToBinary()
    moved = MMFF94.relax(strained)
    assert moved.drop > 5 and moved.rmsd > 0.05 and strained.ToBinary() == before
    # 8 bonds, 13 angles and 12 torsions; one atom was moved, by 0.3 Å
    assert (rest.heavy, rest.bonds[1], rest.angles[1], rest.torsions[1]) == (3, 8, 13, 12)
    assert rest.bonds[0] < 0.01 and 0.1 < moved.bonds[0] < 0.6
    assert moved.angles[0] > 10 > rest.angles[0] and moved.torsions[0] > rest.torsions[0]


def test_only_the_valid_are_relaxed(hand_made: dict[str, Chem.Mol | None]) -> None:
    names = ["methane", "ethanol", "five-valent", "nothing"]
    pairs = list(
        zip(samples([hand_made[n] for n in names]), [True, True, False, False], strict=True)
    )
    result = measure(pairs)
    assert isinstance(result, Relaxation)
    assert result.drop_median().n == 2 and result.rmsd_mean().n == 2
    assert result.drop_p90().value >= result.drop_median().value
    assert len(result.rows) == 4 and result.rows[2] is result.rows[3] is None
    assert result.torsion_change().n == 1  # methane has none


def test_no_parameters_is_a_reason() -> None:
    mol = Chem.RWMol()
    mol.AddAtom(Chem.Atom("Xe"))
    mol.AddConformer(Chem.Conformer(1))
    assert MMFF94.relax(mol.GetMol()).reason == "no MMFF94 parameters"
    result = Relaxation((MMFF94.relax(mol.GetMol()),))
    assert result.bond_change().reason and result.subsets()["drop_mean.mean"].reason
    assert result.drop_mean().reason and result.failures() == ["no MMFF94 parameters"]


def rows(*drops: float) -> Relaxation:
    """Molecules of two heavy atoms with these drops; the k-th has k bonds that changed by 0.1 Å."""
    return Relaxation(
        tuple(
            Relaxed(drop, drop / 100, 2, (0.1 * k, k), (2.0 * k, 2 * k), (0.0, 0))
            for k, drop in enumerate(drops)
        )
    )


def test_changes_are_over_all_bonds_and_drops_over_molecules() -> None:
    found = Relaxation((None, *rows(2, 4, 9).rows, Relaxed(reason="fails")))
    assert found.drop_mean().value == 5 and found.drop_per_atom().value == 2
    mixed = Relaxation((Relaxed(0, 0, 1, (0.6, 1)), Relaxed(0, 0, 1, (0.0, 3))))
    assert mixed.bond_change().value == pytest.approx(0.15) and mixed.bond_change().n == 2
    assert found.angle_change().value == pytest.approx(1) and found.angle_change().n == 2
    assert found.torsion_change().reason == "no relaxed molecule has torsions"
    assert found.failures() == ["fails"]


def test_mean_and_deviation_over_five_subsets() -> None:
    """Every fifth molecule is a subset, so that a sorted file makes no difference."""
    found = rows(*range(20)).subsets()
    # subsets 0 5 10 15, 1 6 11 16, ...: means 7.5 to 11.5
    assert found["drop_mean.mean"].value == pytest.approx(9.5) and found["drop_mean.mean"].n == 20
    assert found["drop_mean.deviation"].value == pytest.approx(np.std([7.5, 8.5, 9.5, 10.5, 11.5]))
    assert found["rmsd_mean.mean"].value == pytest.approx(0.095)
    assert found["torsion_change.mean"].reason and found["torsion_change.deviation"].reason
    few = rows(1, 2, 3, 4).subsets()["drop_mean.mean"]
    assert few.reason == "a subset of five: no molecule could be relaxed"


def test_processes_make_no_difference(hand_made: dict[str, Chem.Mol | None]) -> None:
    molecules = [hand_made["ethanol"], hand_made["methane"]] * 20
    items = [(sample, True) for sample in samples(molecules)]
    one, two = measure(items), measure(items, jobs=2)
    assert isinstance(one, Relaxation) and isinstance(two, Relaxation)
    drops = [row.drop for row in one.known]
    assert [row.drop for row in two.known] == pytest.approx(drops, abs=1e-6)
