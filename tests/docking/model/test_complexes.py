"""From folders of complexes to the store and back."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES, molecular_graph, symmetries
from moldiff.data import prepare_complexes as preparing
from moldiff.data.clusters import linked, split_clusters
from moldiff.data.complex_files import fragments, read_complex
from moldiff.data.complexes import ComplexStore
from moldiff.data.prepare_complexes import prepare_complexes
from moldiff.errors import DataError, InputError
from moldiff.protein.tokens import TOKENS, atom_tokens
from moldiff.train.workloads.displacement import example


def test_the_store_keeps_what_was_read(folder: Path, complexes: ComplexStore) -> None:
    assert complexes.meta["splits"] == {"train": 6, "validation": 2}
    assert not complexes.meta["rejected"] and len(complexes) == 8
    for k, name in enumerate(complexes.names):
        kept, read = complexes[k], read_complex(folder / Path(name).name)
        assert not isinstance(read, str)
        for field in kept.__dataclass_fields__:
            assert np.array_equal(getattr(kept, field), getattr(read, field)), field


def test_stored_poses_lie_on_the_crystal_ligand(complexes: ComplexStore) -> None:
    rng = torch.Generator().manual_seed(0)
    for k in range(len(complexes)):
        made = example(complexes[k], jitter=2.0, margin=(5.0, 9.0), rng=rng)
        x = made.kinematics.place(made.bound)
        rmsd = (x - made.crystal).square().sum(-1).mean(1).sqrt()
        assert torch.allclose(rmsd, torch.from_numpy(complexes[k].rmsd), atol=1e-4)
        assert rmsd.min() < 1.0
        assert (made.pocket.centre - made.crystal.mean(0)).norm() <= 2.001


def test_the_crop_does_not_know_the_bound_pose(complexes: ComplexStore) -> None:
    """A sphere: every atom left out is farther from the box's centre than every one kept."""
    made = example(
        complexes[0], jitter=2.0, margin=(5.0, 9.0), rng=torch.Generator().manual_seed(1)
    )
    kept = made.pocket.positions.norm(dim=1).max()
    offset = torch.from_numpy(complexes[0].pocket) - made.pocket.centre
    assert int((offset.norm(dim=1) <= kept + 1e-4).sum()) == len(made.pocket.positions)


@pytest.mark.parametrize("damage", ["cut", "alter", "remove"])
def test_damage_is_noticed(damage: str, complexes: ComplexStore, tmp_path: Path) -> None:
    shutil.copytree(complexes.path, tmp_path / "store")
    target = tmp_path / "store" / "pocket.npy"
    content = bytearray(target.read_bytes())
    if damage == "remove":
        target.unlink()
    elif damage == "cut":
        target.write_bytes(content[:-400])
    else:
        content[-1] ^= 1
        target.write_bytes(content)
    with pytest.raises(DataError) as caught:
        ComplexStore.open(tmp_path / "store", verify=True)
    assert caught.value.fix


def test_an_interrupted_preparation_goes_on(
    folder: Path, complexes: ComplexStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_PART", 3)
    calls = []

    def interrupted(stage: str, done: int, total: int) -> None:
        calls.append(done)
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_complexes([folder], tmp_path / "store", share=0.25, progress=interrupted)
    assert not (tmp_path / "store").exists()
    again: list[int] = []
    store = prepare_complexes(
        [folder],
        tmp_path / "store",
        share=0.25,
        progress=lambda stage, done, total: again.append(done),
    )
    assert calls == [0, 3, 6] and again == [6, 8]
    whole = complexes.meta["sha256"]
    assert store.meta["sha256"] == whole


def test_what_cannot_be_used_has_a_reason(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "set"
    shutil.copytree(folder, broken)
    (broken / "c0" / "ligand.sdf").write_text("nothing")
    (broken / "c1" / "pocket.pdb").unlink()
    text = (broken / "c2" / "pocket.pdb").read_text().splitlines()
    (broken / "c2" / "pocket.pdb").write_text("\n".join(line for line in text if " CA " in line))
    mol = Chem.MolFromMolFile(str(broken / "c3" / "ligand.sdf"))
    x = mol.GetConformer().GetPositions()[0] + [0, 0, 1.0]
    line = (
        f"ATOM      1  CB  ALA A   1    {x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}  1.00  0.00           C"
    )
    kept = (broken / "c3" / "pocket.pdb").read_text()
    (broken / "c3" / "pocket.pdb").write_text(line + "\n" + kept)
    store = prepare_complexes([broken], tmp_path / "store", share=0.3)
    assert len(store) == 4
    with (store.path / "rejected.csv").open() as file:
        reasons = {row["name"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons["set/c0"] == "ligand: fails to sanitise"
    assert reasons["set/c1"] == "pocket: no pocket.pdb"
    assert reasons["set/c2"].startswith("pocket: C-alpha")
    assert reasons["set/c3"].startswith("closest contact")


def test_every_folder_of_a_set_has_a_row(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "set"
    shutil.copytree(folder, there)
    (there / "index.csv").unlink(missing_ok=True)
    count = len(list(there.iterdir()))
    (there / "c0" / "pocket.pdb").rename(there / "c0" / "pocket.cif")
    (there / "c1" / "ligand.sdf").rename(there / "c1" / "ligand.mol2")
    (there / "c2" / "ligand.sdf").unlink()
    two = (there / "c3" / "ligand.sdf").read_text()
    (there / "c3" / "ligand.sdf").write_text(f"{two}$$$$\n{two}$$$$\n")
    (there / "none").mkdir()
    store = prepare_complexes([there], tmp_path / "store", share=0.3)
    assert len(store) == count - 4
    with (store.path / "rejected.csv").open() as file:
        reasons = {row["name"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        "set/c0": "pocket: no pocket.pdb, but pocket.cif: convert it to .pdb",
        "set/c1": "ligand: no ligand.sdf, but ligand.mol2: convert it to .sdf",
        "set/c2": "ligand: no ligand.sdf",
        "set/c3": "ligand: several molecules in ligand.sdf",
        "set/none": "ligand: no ligand.sdf",
    }


def test_folders_without_complexes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        prepare_complexes([tmp_path / "absent"], tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no complexes"):
        prepare_complexes([tmp_path / "empty"], tmp_path / "store")


def test_similar_pockets_stay_together() -> None:
    random = np.random.default_rng(0)
    families = [random.choice(10**6, 40, replace=False) for _ in range(30)]
    pockets = [
        np.sort(random.choice(family, 30, replace=False)) for family in families for _ in range(3)
    ]
    clusters = linked(pockets)
    assert len(np.unique(clusters)) == 30
    assert all(len(set(clusters[3 * k : 3 * k + 3])) == 1 for k in range(30))
    split = split_clusters(np.arange(90) // 1, share=0.1, seed=0)
    assert split.sum() == 9
    held = split_clusters(clusters, share=0.1, seed=0)
    assert not {*clusters[held == 1]} & {*clusters[held == 0]}


def test_fragments_follow_the_sequence_whatever_its_numbers() -> None:
    def keys(start: int, names: str) -> list[str]:
        table = {"A": "ALA", "G": "GLY", "S": "SER", "K": "LYS", "D": "ASP"}
        return [f"A{start + k:4d} {table[n]}" for k, n in enumerate(names)]

    one, other = fragments(keys(10, "AGSKD")), fragments(keys(400, "AGSKD"))
    assert len(one) == 2 and np.array_equal(one, other)
    assert not len(fragments(keys(10, "AGS")[:3] + keys(20, "KD")))


def test_molecular_graph_follows_the_order_of_the_atoms() -> None:
    mol = Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1")
    graph = molecular_graph(mol)
    assert (graph.atoms < np.array(ATOM_CLASSES)).all() and graph.pairs.max() < PAIR_CLASSES
    order = np.random.default_rng(0).permutation(mol.GetNumAtoms())
    mixed = molecular_graph(Chem.RenumberAtoms(mol, order.tolist()))
    assert np.array_equal(mixed.atoms, graph.atoms[order])
    assert np.array_equal(mixed.pairs, graph.pairs[np.ix_(order, order)])
    explicit = molecular_graph(Chem.AddHs(mol))
    assert np.array_equal(explicit.atoms, graph.atoms)
    assert np.array_equal(explicit.pairs, graph.pairs)


@pytest.mark.parametrize(
    ("smiles", "count"), [("CC(=O)[O-]", 2), ("c1ccccc1O", 2), ("CCO", 1), ("FC(F)(F)C", 6)]
)
def test_symmetries(smiles: str, count: int) -> None:
    found = symmetries(Chem.MolFromSmiles(smiles))
    assert len(found) == count
    assert np.array_equal(found[0], np.arange(found.shape[1]))
    assert len(symmetries(Chem.MolFromSmiles("FC(F)(F)C"), limit=4)) == 4


def test_tokens_know_synonyms_and_elements() -> None:
    tokens = atom_tokens(
        ["HIS", "HIE", "MET", "MSE", "HEM", "XYZ"],
        ["ND1", "ND1", "SD", "SE", "FE", "Q"],
        [7, 7, 16, 34, 26, 99],
    )
    assert tokens[0] == tokens[1] and tokens[2] == tokens[3]
    assert len(set(tokens.tolist())) == 4 and tokens[5] == TOKENS - 1
