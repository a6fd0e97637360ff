"""What every metric must do; the registry is the list."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.errors import DataError, InputError
from moldiff.io import Record
from moldiff.metrics import METRICS, PROTOCOLS, Reference, Settings, Study, Value, samples
from moldiff.metrics.build import refresh_row

SETTINGS = Settings(posebusters=3, relax=None, xtb=3)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.load("qm9")


DISTINCT = {"uniqueness", "valid_unique", "strict_unique", "novelty", "valid_unique_novel"}


def values(mols: list, reference: Reference | None, settings: Settings = SETTINGS):
    return Study(samples(mols), reference, settings).values()


@pytest.fixture(scope="module")
def real(qm9: list[Record], reference: Reference) -> dict[str, Value]:
    return values(qm9, reference)


def test_names_are_unique_and_described() -> None:
    assert len(METRICS) == 81
    for name, metric in METRICS.items():
        assert name == metric.name and metric.protocol in PROTOCOLS
        assert metric.description.endswith(".") and metric.direction in {
            "higher", "lower", "neither",
        }  # fmt: skip
        assert metric.unit in {"rate", "points", "Å", "degrees", "kcal/mol", "count"}


def well_formed(name: str, value: Value) -> None:
    if math.isnan(value.value):
        assert value.reason, name
        return
    assert value.reason is None and value.n > 0, name
    if value.low is not None and value.high is not None:
        assert value.low <= value.value <= value.high, name
    if METRICS[name].unit == "rate":
        # counts of distinct molecules are not binomial
        assert (value.low is None) == (name.split(".")[1] in DISTINCT), name
        assert 0 <= value.value <= 1, name


@pytest.mark.parametrize("name", list(METRICS))
def test_real_molecules_are_near_the_data_row(
    name: str, real: dict[str, Value], reference: Reference
) -> None:
    well_formed(name, real[name])
    well_formed(name, reference.row[name])
    ours, data, unit = real[name], reference.row[name], METRICS[name].unit
    assert data.reason is None
    if name.split(".")[-1] in ("novelty", "valid_unique_novel"):
        return  # the sample comes from all splits
    if METRICS[name].direction == "lower":
        return
    if unit == "rate" and not name.startswith(("posebusters", "composition")):
        # QM9's first molecules are small and unlike the bulk: a wide window
        assert ours.value > data.value - 0.2
    if name == "relaxation.drop_median":
        assert ours.value < data.value + 10


@pytest.mark.parametrize("kind", ["none", "empty", "all bad"])
def test_nothing_to_measure(
    kind: str, hand_made: dict[str, Chem.Mol | None], reference: Reference
) -> None:
    mols = {"none": [], "empty": [Chem.Mol()], "all bad": [None, hand_made["not finite"]]}[kind]
    for name, value in values(mols, reference).items():
        well_formed(name, value)
        if kind == "none":
            assert math.isnan(value.value)


def test_all_hand_made_together(
    hand_made: dict[str, Chem.Mol | None], reference: Reference
) -> None:
    mols = list(hand_made.values())
    study = Study(samples(mols), reference, SETTINGS)
    for name, value in study.values().items():
        well_formed(name, value)
    failures = study.failures()
    assert failures["graph"]["radical"] == 2 and failures["graph"]["empty"] == 1
    assert not any("valence table" in reason for reason in failures["graph"])
    assert not any("outside" in reason for reason in failures["lookup"])


def moved(mol: Chem.Mol, rng: np.random.Generator) -> Chem.Mol:
    """The same molecule with shuffled atoms, turned, mirrored every other time, and shifted."""
    copy = Chem.RenumberAtoms(mol, rng.permutation(mol.GetNumAtoms()).tolist())
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    positions = copy.GetConformer().GetPositions() @ q + rng.normal(size=3)
    for k, place in enumerate(positions.tolist()):
        copy.GetConformer().SetAtomPosition(k, place)
    return copy


def test_no_metric_sees_order_or_motion(qm9: list[Record], reference: Reference) -> None:
    rng = np.random.default_rng(5)
    mols = [record.mol for record in qm9 if record.mol is not None]
    other = [moved(mols[k], rng) for k in rng.permutation(len(mols))]
    settings = Settings(posebusters=0, relax=None, xtb=0)
    ours, theirs = values(mols, reference, settings), values(other, reference, settings)
    for name, value in ours.items():
        # a minimiser's path depends on rounding, everything else does not
        loose = METRICS[name].protocol == "relaxation"
        if math.isnan(value.value):
            assert value.reason == theirs[name].reason
        else:
            assert theirs[name].value == pytest.approx(
                value.value, rel=0.05 if loose else 1e-6, abs=1e-3 if loose else 1e-9
            ), name
            assert loose or theirs[name].low == pytest.approx(value.low), name


def test_posebusters_sees_no_motion(hand_made: dict[str, Chem.Mol | None]) -> None:
    poses = pytest.importorskip("moldiff.metrics.poses")
    pytest.importorskip("posebusters")
    mol = hand_made["ethanol"]
    assert mol is not None
    assert poses.bust(mol) == poses.bust(moved(mol, np.random.default_rng(2)))


def test_no_metric_changes_its_input(
    qm9: list[Record], hand_made: dict[str, Chem.Mol | None], reference: Reference
) -> None:
    mols = [record.mol for record in qm9[:8]] + list(hand_made.values())
    before = [mol.ToBinary(int(Chem.PropertyPickleOptions.AllProps)) for mol in mols if mol]
    values(mols, reference, replace(SETTINGS, posebusters=2))
    assert [m.ToBinary(int(Chem.PropertyPickleOptions.AllProps)) for m in mols if m] == before


def test_processes_give_the_same(qm9: list[Record], reference: Reference) -> None:
    one = Settings(posebusters=0, relax=0, xtb=0)
    assert {k: v.to_dict() for k, v in values(qm9, reference, one).items()} == {
        k: v.to_dict() for k, v in values(qm9, reference, replace(one, jobs=2)).items()
    }


def test_reference_ships_and_is_small(tmp_path, reference: Reference) -> None:
    from importlib.resources import files

    folder = files("moldiff.metrics") / "reference"
    assert sum(f.stat().st_size for f in folder.iterdir()) < 2_000_000
    assert len(reference.graph) > 90_000 and len(reference.lookup) > 90_000
    assert set(reference.row) == set(METRICS) and reference.info["rdkit"]
    assert reference.row["graph.strict_validity"].value > 0.99
    assert reference.row["lookup.molecule_stability"].value == pytest.approx(0.952, abs=0.01)
    reference.save(tmp_path)
    again = Reference.load("qm9", tmp_path)
    assert np.array_equal(again.graph.hashes, reference.graph.hashes)
    assert again.rings is not None and reference.rings is not None and len(again.rings) > 9000
    assert np.array_equal(again.rings.hashes, reference.rings.hashes)
    replace(reference, rings=None).save(tmp_path)  # as an older version did
    assert Reference.load("qm9", tmp_path).rings is None
    assert {k: v.to_dict() for k, v in again.row.items()} == {
        k: v.to_dict() for k, v in reference.row.items()
    }


def test_one_protocol_of_the_row_can_be_measured_again(
    tmp_path: Path, qm9: list[Record], reference: Reference
) -> None:
    row = [record.mol for record in qm9 if record.mol is not None]
    old = replace(reference, info={**reference.info, "row_molecules": len(row)})
    old.save(tmp_path)
    arrays = {path: path.read_bytes() for path in tmp_path.glob("*.npz")}
    settings = Settings(posebusters=0, relax=4)
    refresh_row(old, row=row, protocols=["relaxation"], settings=settings).save_row(tmp_path)
    new = Reference.load("qm9", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.npz")} == arrays
    assert list(new.row) == list(METRICS)
    for group, entries in new.details.items():
        assert (entries == old.details[group]) is (group != "relaxation"), group
    for name, value in new.row.items():
        again = METRICS[name].protocol == "relaxation"
        assert 1 <= value.n <= 4 if again else value == old.row[name], name
    assert set(new.info["refreshed"]) >= {"relaxation"} and new.info["rdkit"] == old.info["rdkit"]
    with pytest.raises(InputError, match="row of 'qm9'"):
        refresh_row(old, row=row[1:], protocols=["relaxation"], settings=settings)


def test_damaged_or_unknown_reference(tmp_path, reference: Reference) -> None:
    with pytest.raises(DataError, match="qm9"):
        Reference.load("qm7")
    reference.save(tmp_path)
    path = tmp_path / "qm9-smiles.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="checksum"):
        Reference.load("qm9", tmp_path)
