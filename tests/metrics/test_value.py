"""Intervals, hashes, sampling: the small parts."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from rdkit import Chem

from moldiff.io import Record
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.sample import draw, samples
from moldiff.metrics.value import Value, bootstrap, distinct_share, missing, rate


def test_wilson() -> None:
    value = rate(8, 10)
    assert (value.low, value.high) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )
    assert rate(10, 10).high == 1.0 and rate(0, 10).low == 0.0
    assert math.isnan(rate(0, 0).value) and rate(0, 0).reason == "no molecules"


def test_distinct_shares_have_no_interval() -> None:
    assert distinct_share(3, 4) == Value(0.75, 4)
    assert distinct_share(0, 0, "none").reason == "none"


def test_bootstrap_covers_and_ignores_order() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(5, 1, 400)
    value = bootstrap(rows, lambda x: float(np.mean(x)))
    assert value.low is not None and value.high is not None
    assert value.low < 5.1 and value.high > 4.9 and 0.1 < value.high - value.low < 0.3
    assert bootstrap(rng.permutation(rows), lambda x: float(np.mean(x))) == value


def test_value_round_trip() -> None:
    for value in (rate(1, 2), missing("because"), Value(1.5, 3)):
        again = Value.from_dict(value.to_dict())
        assert again.to_dict() == value.to_dict()
    assert missing("because").to_dict()["value"] is None


def test_smiles_set() -> None:
    known = SmilesSet.of(["C", "CC", "CCO", "C"])
    assert len(known) == 3 and "CCO" in known and "CCC" not in known
    assert known.novel(["C", "CCC", "CCC", "N"]) == 2
    assert "C" not in SmilesSet.of([])
    again = SmilesSet.from_deltas(known.to_deltas())
    assert np.array_equal(again.hashes, known.hashes)


def test_draw() -> None:
    items = list(range(10))
    assert draw(items, None) == items and draw(items, 99) == items and draw(items, 0) == []
    assert draw(items, 5) == [0, 2, 4, 6, 8]


def test_samples_survive_pickling_exactly(hand_made: dict[str, Chem.Mol | None]) -> None:
    (sample,) = samples([hand_made["ethanol"]])
    again = pickle.loads(pickle.dumps(sample))
    assert again.mol is not None and sample.mol is not None
    ours, theirs = (s.mol.GetConformer().GetPositions() for s in (sample, again))
    assert np.array_equal(ours, theirs)
    assert all(a.GetNoImplicit() for a in again.mol.GetAtoms())


def bare(mol: Chem.Mol) -> Chem.Mol:
    copy = Chem.RWMol(mol)
    for bond in list(copy.GetBonds()):
        copy.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    return copy.GetMol()


def test_bonds_are_inferred_where_a_file_has_none(hand_made: dict[str, Chem.Mol | None]) -> None:
    cloud, radical = bare(hand_made["nitro"]), bare(hand_made["methyl radical"])
    first, second = samples([Record(m, "", None, "a.xyz", 0) for m in (cloud, radical)])
    assert first.bonds == "inferred" and first.mol is not None
    assert Chem.MolToSmiles(Chem.RemoveHs(first.mol)) == "C[N+](=O)[O-]"
    assert second.mol is None and "odd number of electrons" in str(second.reason)
    assert cloud.GetNumBonds() == 0
    # in a file with bonds, a molecule without any is taken at its word
    mixed = samples([Record(m, "", None, "a.sdf", 0) for m in (cloud, hand_made["ethanol"])])
    assert [s.bonds for s in mixed] == ["given", "given"]


def test_a_drawing_has_no_coordinates() -> None:
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.Compute2DCoords(mol)
    assert samples([mol])[0].positions is None


def test_a_value_is_printed_with_its_interval() -> None:
    assert str(Value(0.5, 8, 0.2, 0.8125)) == "0.5 (95 % 0.2 to 0.8125), of 8"
    assert str(Value(0.75, 4)) == "0.75, of 4"
    assert str(missing("no molecules")) == "no value: no molecules"


def test_a_value_is_a_cell_of_a_table() -> None:
    assert Value(0.384, 100, 0.29, 0.484).text(2) == "0.38 (0.29 to 0.48)"
    assert Value(0.384, 100, 0.29, 0.484).text(1, "%") == "38.4 % (29.0 to 48.4)"
    assert Value(1.25, 3).text(1, " Å") == "1.2 Å" and missing("nothing").text(2) == "–"
