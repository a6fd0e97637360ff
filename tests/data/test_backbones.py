"""From files of chains to the store and back."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from moldiff.data.backbones import BackboneStore
from moldiff.data.prepare_backbones import prepare_backbones
from moldiff.data.ragged import SPLITS
from moldiff.errors import DataError, InputError
from moldiff.protein.backbone import LETTERS, Backbone
from moldiff.protein.write import backbone_pdb
from tests.backbones import HELIX, backbone, of_torsions

CHAINS = [backbone(40 + 3 * k, seed=k) for k in range(12)]
NAMES = [f"1ab{k:x}_A" for k in range(len(CHAINS))]
TOPOLOGIES = [f"1.10.{k % 4}.{k}" for k in range(len(CHAINS))]


def letters(chain: Backbone) -> str:
    return "".join((LETTERS + "X")[k] for k in chain.types)


def dssp(chain: Backbone) -> str:
    return "".join("H" if regular else "T" for regular in chain.regular)


def centi(chain: Backbone) -> np.ndarray:
    return np.rint(100 * (chain.atoms - chain.atoms.min((0, 1)))).astype(np.uint16)


def archive(path: Path, chains: list[Backbone] = CHAINS, **arrays: object) -> Path:
    """An ``.npz`` of chains."""
    given = {
        "id": np.array(NAMES[: len(chains)]),
        "offset": np.concatenate([[0], np.cumsum([len(c) for c in chains])]),
        "xyz_centi_angstrom": np.concatenate([centi(c) for c in chains]).astype(np.int16),
        "seq": np.array("".join(map(letters, chains))),
        "dssp": np.array("".join(map(dssp, chains))),
        **arrays,
    }
    np.savez(path, **given)  # type: ignore[arg-type]
    return path


def database(path: Path, chains: list[Backbone] = CHAINS) -> Path:
    """A database as ProMod3 writes them."""
    total = sum(map(len, chains))
    parts = [struct.pack("<II", 1234, 2).ljust(0x4D, b"\0"), struct.pack("<Q", len(chains))]
    offset = 0
    for name, chain in zip(NAMES, chains, strict=False):
        code, letter = name.split("_")
        parts += [
            struct.pack("<I", len(code)),
            code.encode(),
            struct.pack("<I", 1),
            letter.encode(),
        ]
        parts.append(struct.pack("<IHHfff", offset, len(chain), 1, 0, 0, 0))
        offset += len(chain)
    sections = [
        "".join(map(letters, chains)).encode(),
        np.concatenate([centi(c) for c in chains]).astype("<u2").tobytes(),
        bytes(4 * total),
        bytes(2 * total),
        bytes(2 * total),
        "".join(map(dssp, chains)).encode(),
    ]
    for section in sections:
        parts += [struct.pack("<Q", total), section]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("name", ["in.npz", "structure_db.dat", "another name"])
def test_what_is_prepared_is_what_was_given(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (archive if path.suffix == ".npz" else database)(path)
    store = prepare_backbones([path], tmp_path / "out", share=0.2)
    assert store.names == NAMES and len(store) == len(CHAINS)
    assert store.sizes.tolist() == [len(c) for c in CHAINS]
    for k, chain in enumerate(CHAINS):
        read = store[k]
        np.testing.assert_array_equal(read.types, chain.types)
        np.testing.assert_array_equal(read.regular, chain.regular)
        moved = chain.atoms - chain.atoms.mean((0, 1)) + read.atoms.mean((0, 1))
        assert np.abs(read.atoms - moved).max() < 0.02
    again = BackboneStore.open(tmp_path / "out", verify=True)
    assert BackboneStore.at(tmp_path / "out") and not BackboneStore.at(tmp_path)
    assert sorted(np.concatenate([again.indices(s) for s in SPLITS])) == list(range(len(CHAINS)))


def test_structures_give_the_parts_of_their_chains(tmp_path: Path) -> None:
    """The same sequence counts once; a chain with a gap is two; helices are regular."""
    (tmp_path / "one").mkdir()
    helix = of_torsions([HELIX] * 50)
    broken = np.delete(of_torsions([HELIX] * 100), range(48, 54), axis=0)
    names = ["ALA", "LEU", "LYS", "GLU", "GLY"]
    first, second = tmp_path / "one" / "a.pdb", tmp_path / "b.pdb"
    first.write_text(backbone_pdb(helix, names * 10))
    second.write_text(backbone_pdb(broken, [*names * 18, *names[:4]]))
    store = prepare_backbones([first, first, second], tmp_path / "out", share=1.0)
    assert store.names[0] == "one/a_A_1" and store.sizes.tolist() == [50, 50, 48, 46]
    assert [name.rsplit("_", 2)[1] for name in store.names] == ["A"] * 4
    assert store.indices("validation").tolist() == [0, 1, 2, 3] and not len(store.indices("train"))
    chain = store[0]
    assert chain.types[:5].tolist() == [LETTERS.index(letter) for letter in "ALKEG"]
    assert chain.regular[5:45].all() and not chain.regular[[0, -1]].any()
    np.testing.assert_allclose(
        np.linalg.norm(chain.atoms[1:, 0] - chain.atoms[:-1, 2], axis=1), 1.329, atol=0.02
    )
    assert store.meta["source"] == "a.pdb, a.pdb, b.pdb"
    (tmp_path / "c.cif").write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"c\.cif"):
        prepare_backbones([tmp_path / "c.cif"], tmp_path / "none")


def test_a_topology_belongs_to_one_split(tmp_path: Path) -> None:
    file = archive(tmp_path / "in.npz", cath=np.array(TOPOLOGIES))
    store = prepare_backbones([file], tmp_path / "out", share=0.5)
    assert store.meta["clusters"] == 4
    held, trained = (
        {TOPOLOGIES[k].rsplit(".", 1)[0] for k in store.indices(s)} for s in SPLITS[::-1]
    )
    # Clusters of more than one chain are too large to hold out of so few; none is divided.
    assert not held & trained and held | trained == {f"1.10.{k}" for k in range(4)}
    two = [*TOPOLOGIES[:-1], "1.10.3.1+1.10.2.5"]  # a chain of two links both topologies
    file = archive(tmp_path / "two.npz", cath=np.array(two))
    assert prepare_backbones([file], tmp_path / "two").meta["clusters"] == 3


def test_similar_sequences_belong_together(tmp_path: Path) -> None:
    chains = [
        *CHAINS[:5],
        Backbone(CHAINS[5].atoms, np.roll(CHAINS[5].types, 3), CHAINS[5].regular),
    ]
    chains[0].types[:20] = chains[5].types[10:30]
    store = prepare_backbones([archive(tmp_path / "in.npz", chains)], tmp_path / "out")
    assert store.meta["clusters"] == 5 and store.clusters[0] == store.clusters[5]


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    broken = CHAINS[1].atoms.copy()
    broken[20:] += 2
    short = CHAINS[2]
    chains = [
        CHAINS[0],
        Backbone(broken, CHAINS[1].types, CHAINS[1].regular),
        Backbone(short.atoms[:30], short.types[:30], short.regular[:30]),
    ]
    store = prepare_backbones([archive(tmp_path / "in.npz", chains)], tmp_path / "out")
    assert store.names == NAMES[:1]
    assert store.meta["rejected"] == {"a break in the chain": 1, "fewer than 40 residues": 1}
    assert NAMES[1] in (store.path / "rejected.csv").read_text()
    with pytest.raises(DataError, match="No chain can be used"):
        prepare_backbones([archive(tmp_path / "in.npz", chains[1:])], tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.dat", b"nothing of the kind" * 9), ("a.dat", b""), ("a.npz", b"PK"), ("a.npz", None)],
)
def test_files_of_other_kinds_are_refused(name: str, content: bytes | None, tmp_path: Path) -> None:
    if content is None:
        np.savez(tmp_path / name, other=np.zeros(3))
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="not a file of protein backbones"):
        prepare_backbones([tmp_path / name], tmp_path / "out")
    with pytest.raises(InputError, match="promod3-data"):
        prepare_backbones([tmp_path / "none.dat"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cut_off_database_is_refused(tmp_path: Path) -> None:
    file = database(tmp_path / "a.dat")
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match="not a file of protein backbones"):
        prepare_backbones([file], tmp_path / "out")


def test_damage_is_seen(tmp_path: Path) -> None:
    store = prepare_backbones([archive(tmp_path / "in.npz")], tmp_path / "out")
    with pytest.raises(DataError, match="no split 'test'"):
        store.indices("test")
    types = np.load(store.path / "types.npy")
    np.save(store.path / "types.npy", (types + 1) % 20)
    BackboneStore.open(store.path)
    with pytest.raises(DataError, match="checksum"):
        BackboneStore.open(store.path, verify=True)
    np.save(store.path / "atoms.npy", np.load(store.path / "atoms.npy")[:-1])
    with pytest.raises(DataError, match="cut off"):
        BackboneStore.open(store.path)
    meta = json.loads((store.path / "store.json").read_text())
    (store.path / "store.json").write_text(json.dumps(meta | {"schema": "moldiff-backbones-0"}))
    with pytest.raises(DataError, match="this version"):
        BackboneStore.open(store.path)
