"""A data set measured once, and molecules compared with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moldiff.chem import decode, relax_hydrogens
from moldiff.cli.reference import split_molecules
from moldiff.data.skeleton import fold_store
from moldiff.data.store import Store
from moldiff.errors import DataError, InputError
from moldiff.metrics import METRICS, Reference
from moldiff.metrics.reference_data import beside, located

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
QUICK = ("--posebusters", 0, "--relax", 2, "--xtb", 0)


def test_a_data_set_is_measured_and_compared_with(
    run: Callable[..., Any], store: Store, tmp_path: Path
) -> None:
    opened, folder = store, tmp_path / "small"
    shutil.copytree(store.path, folder)
    early = run("evaluate", SAMPLE, "--reference", folder, *QUICK)
    assert early.status == 2 and f"moldiff data reference {folder}" in early.err
    made = run("data", "reference", folder, "--row", 4, *QUICK)
    assert made.status == 0, made.err
    assert str(beside(folder)) in made.err
    report = tmp_path / "report.json"
    for given in (folder, beside(folder)):
        done = run("evaluate", SAMPLE, "--reference", given, *QUICK, "-o", report)
        assert done.status == 0, done.err
        told = json.loads(report.read_text())
        assert told["reference"]["name"] == "small"
        assert (
            told["reference"]["row"] == "small, 2 molecules of the validation split, evenly spaced"
        )
        data = told["metrics"]["composition.rings"]["data"]
        assert data["n"] == 2 and told["metrics"]["graph.novelty"]["value"] < 1
    reference = Reference.load("small", beside(folder))
    assert list(reference.row) == list(METRICS) and reference.info["row_molecules"] == 2
    assert len(reference.graph) == len(opened.indices("train"))
    assert reference.rings is not None and len(reference.rings) > 3
    sizes = opened.sizes[opened.indices("test")]
    counts = reference.distributions.counts["atom_count"]
    assert counts[sizes.max()] > 0 and counts.argmax() in sizes


def test_what_is_no_reference(tmp_path: Path) -> None:
    assert located("qm9")[0] == "qm9"
    for text, words in (
        ("qm8", "no reference 'qm8'"),
        (str(tmp_path / "no"), "no reference"),
        (str(tmp_path), "holds 0 references"),
    ):
        with pytest.raises(InputError, match=words):
            located(text)
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(InputError, match="holds 2 references"):
        located(str(tmp_path))


def test_all_three_splits_are_needed(store: Store) -> None:
    opened = Store.open(store.path)
    seen: list[tuple[str, int, int]] = []
    drawn_mols = list(split_molecules(opened, "train", 5, progress=lambda *step: seen.append(step)))
    assert len(drawn_mols) == 5 and seen == [("train split", k, 5) for k in range(1, 6)]
    all_of_it = opened.indices("train").tolist()
    expected = [opened.sizes[all_of_it[k * len(all_of_it) // 5]] for k in range(5)]
    assert [mol.GetNumAtoms() for mol in drawn_mols] == expected  # evenly spaced
    opened._arrays["split"] = opened.split * 0
    with pytest.raises(DataError, match="no molecules in its test split"):
        split_molecules(opened, "test")


def test_folded_hydrogens_are_relaxed_as_in_what_is_generated(store: Store, tmp_path: Path) -> None:
    folded = fold_store(Store.open(store.path), tmp_path / "folded")
    first = int(folded.indices("validation")[0])
    placed = decode(folded[first], folded.vocabulary)
    expected = relax_hydrogens(placed).GetConformer().GetPositions()
    (mol,) = split_molecules(folded, "validation", 1)
    assert abs(mol.GetConformer().GetPositions() - expected).max() < 1e-9
    assert abs(placed.GetConformer().GetPositions() - expected).max() > 0.01
