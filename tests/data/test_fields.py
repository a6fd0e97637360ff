"""Numbers that records bring along become properties, whatever else their fields hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moldiff.data.molecules import prepare
from moldiff.data.skeleton import fold_store
from moldiff.io import Writer
from moldiff.train.conditions import Labels
from tests.molecules import embedded

SMILES = ("CO", "CCO", "CCC", "CN", "C=O", "CCN", "CC#N", "COC", "CCF", "C1CC1")


def written(path: Path, fields: list[dict[str, object]]) -> Path:
    with Writer(path) as writer:
        for smiles, tags in zip(SMILES, fields, strict=False):
            writer.write(embedded(smiles), tags)
    return path


def test_numeric_fields_are_kept_and_said(tmp_path: Path) -> None:
    first = [
        {"gap": 0.1, "ID": "a1", "my yield (%)": "40"},
        {"gap": "n/a", "ID": "7", "my yield (%)": ">99"},
        {"gap": "-2.5e-1", "logp": "1", "ID": "a2", "my yield (%)": "1e400"},
        {"ID": "a3", "my yield (%)": " 12 "},
    ]
    second = [{"Gap": "1"}, {"gap": "3", "note": "x"}]
    files = [written(tmp_path / "a.sdf", first), written(tmp_path / "b.sdf", second)]
    said: list[str] = []
    store = prepare(files, tmp_path / "store", announce=said.append)
    assert store.property_names == ("Gap", "gap", "my yield (%)")
    nan = np.nan
    expected = [
        [nan, 0.1, 40],
        [nan, nan, nan],
        [nan, -0.25, nan],
        [nan, nan, 12],
        [1, nan, nan],
        [nan, 3, nan],
    ]
    assert store.properties is not None
    np.testing.assert_array_equal(store.properties, expected)
    assert said == [
        "Fields kept as properties (molecules with a number): Gap (1), gap (3), my yield (%) (2).",
        "Fields left out, as moldiff computes them itself: logp.",
        "Fields left out, as most of their values are no numbers: ID, note.",
    ]
    folded = fold_store(store, tmp_path / "folded")
    assert folded.properties is not None and folded.property_names == store.property_names
    np.testing.assert_array_equal(folded.properties, np.array(expected)[: len(folded)])


def test_a_file_without_fields_has_no_properties(tmp_path: Path) -> None:
    said: list[str] = []
    store = prepare(
        [written(tmp_path / "a.sdf", [{}] * 4)], tmp_path / "store", announce=said.append
    )
    assert store.properties is None and store.property_names == () and not said


def test_extended_xyz_has_fields_too(tmp_path: Path) -> None:
    file = written(tmp_path / "a.xyz", [{"gap": k / 10} for k in range(6)])
    store = prepare([file], tmp_path / "store")
    assert store.properties is not None and len(store) == 6
    assert store.properties[:, 0].tolist() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_what_is_missing_counts_as_not_given(tmp_path: Path) -> None:
    fields = [{} if k == 1 else {"gap": k} for k in range(10)]
    store = prepare([written(tmp_path / "a.sdf", fields)], tmp_path / "store")
    labels = Labels(store, ["gap"], np.arange(10))
    (condition,) = labels.conditions
    known = [k for k in range(10) if k != 1]
    assert abs(condition.mean - np.mean(known)) < 1e-4
    assert np.isnan(labels(np.arange(10))[:, 0]).tolist() == [k == 1 for k in range(10)]
