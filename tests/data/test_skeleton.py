"""A store with its hydrogens folded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff import Request, load
from moldiff.chem import (
    QM9,
    Encoded,
    canonical_smiles,
    decode,
    encode,
    relax_hydrogens,
    strict_failure,
)
from moldiff.chem.vocabulary import AROMATIC
from moldiff.cli import main
from moldiff.data.skeleton import fold_store
from moldiff.data.store import Entry, Store
from moldiff.errors import ConfigError, DataError
from moldiff.generation.run import generate
from moldiff.train import TrainConfig, Trainer

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    entries = []
    for k, mol in enumerate(Chem.SDMolSupplier(str(SAMPLE), sanitize=False, removeHs=False)):
        arrays = encode(mol, QM9)
        assert isinstance(arrays, Encoded)
        entries.append(Entry(arrays, canonical_smiles(mol) or "", k % 3, 7 * k, (float(k),)))
    path = tmp_path_factory.mktemp("data") / "store"
    return Store.write(path, entries, vocabulary=QM9, source="sample", properties=[("p", "eV")])


def test_folding_keeps_molecules_splits_and_properties(store: Store, tmp_path: Path) -> None:
    folded = fold_store(store, tmp_path / "folded")
    assert Store.open(tmp_path / "folded", verify=True).vocabulary == folded.vocabulary
    assert folded.vocabulary.explicit.charges == QM9.charges
    place = {int(row): k for k, row in enumerate(store.source_index)}
    splits = {int(k): name for name in ("train", "validation", "test") for k in store.indices(name)}
    for name in ("train", "validation", "test"):
        for k in folded.indices(name):
            whole = place[int(folded.source_index[k])]
            mol = decode(folded[k], folded.vocabulary)
            assert strict_failure(mol) is None and splits[whole] == name
            assert canonical_smiles(mol) == store.smiles(whole) == folded.smiles(k)
            assert mol.GetNumAtoms() == store.sizes[whole]
            assert folded.properties is not None and store.properties is not None
            np.testing.assert_array_equal(folded.properties[k], store.properties[whole])
    lone = sum(Chem.MolFromSmiles(store.smiles(k)).GetNumAtoms() < 2 for k in range(len(store)))
    assert len(folded) == len(store) - lone
    assert folded.meta["rejected"] == ({"fewer than two heavy atoms": lone} if lone else {})


def test_folding_on_the_command_line(store: Store, tmp_path: Path) -> None:
    words = ["data", "fold", str(store.path), "-o", str(tmp_path / "out")]
    assert main(words) == 0
    assert main(words) == 2 and main([*words, "--force"]) == 0  # never replaced unasked
    folded = Store.open(tmp_path / "out", verify=True)
    assert folded.vocabulary.hydrogens and len(folded) > 0


def test_aromatic_bonds_may_have_a_class(store: Store, tmp_path: Path) -> None:
    assert main(["data", "fold", str(store.path), "-o", str(tmp_path / "out"), "--aromatic"]) == 0
    folded = Store.open(tmp_path / "out", verify=True)
    assert folded.vocabulary.aromatic
    rings = [k for k in range(len(folded)) if "c1" in folded.smiles(k)]
    assert rings
    for k in range(len(folded)):
        assert canonical_smiles(decode(folded[k], folded.vocabulary)) == folded.smiles(k)
        assert (AROMATIC in folded[k].bonds) == any(c in folded.smiles(k) for c in "cno")


def test_a_model_of_aromatic_bonds_trains_generates_and_has_no_valences(
    store: Store, tmp_path: Path
) -> None:
    fold_store(store, tmp_path / "data", aromatic=True)
    network = {"name": "transformer", "width": 16, "pair_width": 8, "layers": 1, "heads": 2}
    settings = {"data": str(tmp_path / "data"), "output": str(tmp_path / "run"), "steps": 2}
    settings |= {"network": network, "batch": 4, "evaluation": {"every": 0}}
    list(Trainer(TrainConfig.from_dict(settings), Store.open(tmp_path / "data")).fit())
    model = load(tmp_path / "run" / "model.safetensors")
    molecules = list(generate(model, Request(2), sampling={"steps": 2}))
    assert len(molecules) == 2
    with pytest.raises(ConfigError, match="needs bonds with orders"):
        list(generate(model, Request(2), sampling={"steps": 2, "valence": 0.5}))


def test_a_store_is_not_folded_into_itself(store: Store, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(store.path, target_is_directory=True)
    with pytest.raises(DataError, match="into itself"):
        fold_store(store, link)
    assert Store.open(store.path, verify=True).vocabulary == QM9


def test_generated_skeletons_get_relaxed_hydrogens() -> None:
    model = load("qm9-skeleton")
    for item in generate(model, Request(6, seed=1, size=8), sampling={"steps": 15}):
        relaxed = relax_hydrogens(item.mol, steps=1000)
        moved = relaxed.GetConformer().GetPositions() - item.mol.GetConformer().GetPositions()
        heavy = [atom.GetAtomicNum() > 1 for atom in item.mol.GetAtoms()]
        assert np.abs(moved).max() < 0.05
        assert sum(heavy) == 8 < item.mol.GetNumAtoms()


def test_a_folded_store_is_not_folded_again(store: Store, tmp_path: Path) -> None:
    folded = fold_store(store, tmp_path / "folded")
    with pytest.raises(DataError, match="no hydrogens to fold"):
        fold_store(folded, tmp_path / "again")
