"""Wasserstein distances against SciPy's, and features of known molecules."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from moldiff.metrics.distributions import Distances, Distribution, Pool, measure, pool
from moldiff.metrics.geometry import features
from moldiff.metrics.sample import samples


def test_distance_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 4000), rng.normal(0.3, 1.5, 3000)
    expected = stats.wasserstein_distance(a, b)
    assert Distribution.of(a).distance(b) == pytest.approx(expected, rel=0.02)
    assert Distribution.of(a).distance(a) == pytest.approx(0, abs=1e-6)


def test_features_of_methane_and_benzene(hand_made: dict[str, Chem.Mol | None]) -> None:
    methane = features(samples([hand_made["methane"]])[0])
    assert methane is not None
    assert len(methane.continuous["bond_length/C-H"]) == 4
    assert methane.continuous["angle/C"] == pytest.approx(109.47, abs=0.1)
    assert len(methane.continuous["torsion"]) == 0
    benzene = features(samples([hand_made["benzene"]])[0])
    assert benzene is not None
    assert len(benzene.continuous["bond_length/C:C"]) == 6
    assert benzene.continuous["angle/C"] == pytest.approx(120, abs=0.5)
    torsions = benzene.continuous["torsion"]
    assert len(torsions) == 24 and np.all((torsions < 1) | (torsions > 179))
    assert dict(benzene.counts["ring_size"]) == {6: 1}
    assert dict(benzene.counts["element_count/C"]) == {6: 1}


def test_what_has_no_features(hand_made: dict[str, Chem.Mol | None]) -> None:
    for name in ("not finite", "empty", "nothing"):
        assert features(samples([hand_made[name]])[0]) is None
    assert features(samples([hand_made["five-valent"]])[0]) is not None
    alone = Chem.RWMol()
    alone.AddAtom(Chem.Atom("O"))
    alone.AddConformer(Chem.Conformer(1))
    assert features(samples([alone.GetMol()])[0]) is not None


def test_counts_are_exact(hand_made: dict[str, Chem.Mol | None]) -> None:
    mols = samples([hand_made[n] for n in ("methane", "ethanol", "benzene", "nothing")])
    rows = [features(sample) for sample in mols]
    reference = pool([features(s) for s in mols[:1]]).distributions()
    result = Distances(pool(rows), reference, len(mols))
    assert result.atom_count().value == pytest.approx((0 + 4 + 7) / 3)
    assert result.ring_count().value == pytest.approx(1 / 3)
    # C 0+1+5, H 0+2+2, O 0+1+0 (absent in the reference)
    assert result.element_count().value == pytest.approx((6 + 4 + 1) / 3)
    assert result.failures() == ["no graph with finite coordinates"]
    same = measure(mols[:1], reference)
    assert not isinstance(same, str) and same.atom_count().value == 0


def test_classes_weigh_as_they_are_frequent_in_the_reference() -> None:
    """Two classes whose values are 1 and 3 off, the first three times as frequent."""
    values = np.linspace(0, 1, 300)
    common, rare = (np.tile(values, 3), values)
    known = Pool(1, {"angle/C": common, "angle/N": rare}, {}).distributions()
    found = Pool(1, {"angle/C": values + 1, "angle/N": values + 3}, {})
    mean = Distances(found, known, 1).angle_by_centre()
    assert mean.value == pytest.approx((3 * 1 + 1 * 3) / 4, rel=1e-4) and mean.n == 600


def test_too_few_values_is_a_reason(hand_made: dict[str, Chem.Mol | None], qm9: list) -> None:
    reference = pool([features(s) for s in samples(qm9)] * 4).distributions()
    result = measure(samples([hand_made["methane"]]), reference)
    assert not isinstance(result, str)
    assert "needed" in str(result.bond_length().reason)
    assert measure(samples([hand_made["methane"]]), None).bond_length().reason == "no reference"
