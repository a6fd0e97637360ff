"""The store: what goes in comes out, and damage is noticed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem import QM9, Encoded, canonical_smiles, encode
from moldiff.data import write as writing
from moldiff.data.shards import ARRAYS, shards_of
from moldiff.data.store import Entry, Refused, Store
from moldiff.errors import DataError
from tests.disk import small_files

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
FIELDS = ("positions", "types", "charges", "bonds")


def entries() -> list[Entry]:
    found = []
    mols = Chem.SDMolSupplier(str(SAMPLE), sanitize=False, removeHs=False)
    for k, mol in enumerate(mols):
        encoded = encode(mol, QM9)
        assert isinstance(encoded, Encoded)
        found.append(Entry(encoded, canonical_smiles(mol) or "", k % 3, 100 + k, (k / 7, -1.0)))
    return found


ENTRIES = entries()


def write(path: Path, count: int = len(ENTRIES)) -> Store:
    return Store.write(
        path,
        iter(ENTRIES[:count]),
        vocabulary=QM9,
        source="a test",
        rejected=[Refused(7, "seven", "radical on C1"), Refused(8, "eight, too", "valence: C1")],
        properties=[("gap", "hartree"), ("mu", "D")],
        notes={"colour": "blue"},
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write(tmp_path / "store")


def test_round_trip(store: Store) -> None:
    assert len(store) == len(ENTRIES)
    assert store.vocabulary == QM9
    assert store.sizes.tolist() == [len(e.encoded.types) for e in ENTRIES]
    for k, entry in enumerate(ENTRIES):
        for name in FIELDS:
            expected = getattr(entry.encoded, name)
            found = getattr(store[k], name)
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
        assert store.smiles(k) == entry.smiles
    np.testing.assert_array_equal(store[-1].positions, ENTRIES[-1].encoded.positions)
    assert store.properties is not None
    assert store.properties[5].tolist() == [5 / 7, -1.0]
    assert store.property_names == ("gap", "mu") and store.property_units == ("hartree", "D")
    assert store.source_index[3] == 103
    with pytest.raises(IndexError):
        store[len(ENTRIES)]


def test_complexes_are_no_molecules_and_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"schema": "moldiff-complexes-1"}')
    for use in (Store.open, write):
        with pytest.raises(DataError, match="holds protein-ligand complexes"):
            use(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["store.json"]


def test_meta(store: Store) -> None:
    assert store.meta["rejected"] == {"radical": 1, "valence": 1}
    assert store.meta["splits"] == {"train": 17, "validation": 17, "test": 16}
    assert store.meta["notes"] == {"colour": "blue"}
    lines = (store.path / "rejected.csv").read_text().splitlines()
    assert lines == [
        "source_index,name,reason",
        "7,seven,radical on C1",
        '8,"eight, too",valence: C1',
    ]


def test_splits_are_disjoint_and_complete(store: Store) -> None:
    parts = [store.indices(name) for name in ("train", "validation", "test")]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(store)))
    with pytest.raises(DataError, match="train"):
        store.indices("training")


def test_gather_equals_single_items(store: Store) -> None:
    for n in np.unique(store.sizes):
        indices = np.flatnonzero(store.sizes == n)[::-1]
        batch = store.gather(indices)
        assert batch["positions"].shape == (len(indices), n, 3)
        assert batch["positions"].dtype == np.float32
        for row, index in enumerate(indices):
            for name in FIELDS:
                np.testing.assert_array_equal(batch[name][row], getattr(store[index], name))
        assert {batch[name].dtype for name in FIELDS[1:]} == {np.dtype(np.int64)}


def test_gather_refuses_mixed_sizes(store: Store) -> None:
    for indices in (np.arange(len(store)), []):
        with pytest.raises(DataError, match="different sizes"):
            store.gather(indices)


def test_items_do_not_write_through(store: Store) -> None:
    store[0].positions[:] = 0
    np.testing.assert_array_equal(store[0].positions, ENTRIES[0].encoded.positions)


def test_pickles_as_a_path(store: Store) -> None:
    text = pickle.dumps(store)
    assert len(text) < 1000
    assert len(pickle.loads(text)) == len(store)


def test_missing(tmp_path: Path, store: Store) -> None:
    with pytest.raises(DataError, match="no data store at"):
        Store.open(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"no store\.json"):
        Store.open(tmp_path / "other")
    (store.path / "bonds.npy").unlink()
    with pytest.raises(DataError, match=r"lacks the file bonds\.npy"):
        Store.open(store.path)


def test_corruption_is_detected(store: Store) -> None:
    Store.open(store.path, verify=True)
    path = store.path / "positions.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"positions\.npy does not match the checksum"):
        Store.open(store.path, verify=True)


@pytest.mark.parametrize("keep", [0, 20, -10])
def test_truncation_is_detected(store: Store, keep: int) -> None:
    path = store.path / "types.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"types\.npy"):
        Store.open(store.path)


def test_wrong_lengths_are_detected(store: Store) -> None:
    np.save(store.path / "split.npy", np.zeros(3, np.int8))
    with pytest.raises(DataError, match=r"split\.npy has 3 rows, 50 expected"):
        Store.open(store.path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}'])
def test_broken_meta(store: Store, text: str) -> None:
    (store.path / "store.json").write_text(text)
    with pytest.raises(DataError, match=r"store\.json"):
        Store.open(store.path)


def test_other_schema(store: Store) -> None:
    meta = json.loads((store.path / "store.json").read_text())
    (store.path / "store.json").write_text(json.dumps({**meta, "schema": 99}))
    with pytest.raises(DataError, match="schema 99"):
        Store.open(store.path)


def test_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Entry]:
        yield ENTRIES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store.write(tmp_path / "a", interrupted(), vocabulary=QM9, source="")

    with small_files(1000), pytest.raises(DataError, match="File too large"):
        write(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("failure", "raised"),
    [(OSError(5, "Input/output error"), DataError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_failed_rewrite_keeps_the_old_store(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
) -> None:
    write(tmp_path / "store", 5)
    real = writing.os.replace

    def fails_once_the_old_is_away(source: Path, target: Path) -> None:
        if target == tmp_path / "store" and source.name != "store":
            raise failure
        real(source, target)

    monkeypatch.setattr(writing.os, "replace", fails_once_the_old_is_away)
    with pytest.raises(raised, match="Input/output" if raised is DataError else None):
        write(tmp_path / "store")
    assert len(Store.open(tmp_path / "store", verify=True)) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_the_old_store_is_never_deleted_before_the_new_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if it cannot be put back."""
    write(tmp_path / "store", 5)
    real = writing.os.replace

    def only_away(source: Path, target: Path) -> None:
        if target == tmp_path / "store":
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(writing.os, "replace", only_away)
    with pytest.raises(DataError, match="Input/output"):
        write(tmp_path / "store")
    (kept,) = tmp_path.glob(".store.old.*/store")
    assert len(Store.open(kept, verify=True)) == 5


def test_written_by_shards_is_what_numpy_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of the shards, each file is that of the arrays as a whole."""
    whole = write(tmp_path / "whole")
    monkeypatch.setattr(shards_of, "__defaults__", (7,))
    parts = write(tmp_path / "parts")
    arrays = {
        **{name: np.concatenate([getattr(e.encoded, name) for e in ENTRIES]) for name in FIELDS},
        "sizes": [len(e.encoded.types) for e in ENTRIES],
        "split": [e.split for e in ENTRIES],
        "source_index": [e.source_index for e in ENTRIES],
        "properties": np.array([e.properties for e in ENTRIES]).reshape(-1, 2),
    }
    for name, array in arrays.items():
        np.save(tmp_path / "expected.npy", np.asarray(array, ARRAYS[name]))
        expected = (tmp_path / "expected.npy").read_bytes()
        for store in (whole, parts):
            assert (store.path / f"{name}.npy").read_bytes() == expected, name
    assert whole.meta == parts.meta and set(whole.meta["sha256"]) == {
        *(f"{name}.npy" for name in arrays),
        "smiles.txt",
        "rejected.csv",
    }


def test_rewrite_replaces(tmp_path: Path) -> None:
    write(tmp_path / "store", 5)
    assert len(write(tmp_path / "store", 9)) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_foreign_directories_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(DataError, match="not a data store"):
        write(tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no molecule"):
        Store.write(tmp_path / "store", [], vocabulary=QM9, source="")
    assert list(tmp_path.iterdir()) == []
