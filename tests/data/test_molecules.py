"""A user's own files as a data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.chem import QM9, canonical_smiles, decode
from moldiff.data.molecules import prepare
from moldiff.data.split import split_by_hash
from moldiff.errors import ConfigError, DataError
from tests.molecules import embedded

THIRDS = (0.5, 0.25, 0.25)


def block(smiles: str, hydrogens: bool = True) -> str:
    mol = embedded(smiles, seed=1)
    mol.SetProp("_Name", smiles)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return str(Chem.MolToMolBlock(mol if hydrogens else Chem.RemoveHs(mol)))


def sdf(path: Path, *blocks: str) -> Path:
    path.write_text("".join(f"{text}$$$$\n" for text in blocks))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    broken = block("CO").replace("  6  5  0", "  x  5  0")
    return sdf(
        tmp_path / "mine.sdf",
        block("CCl"),
        block("CCO"),
        broken,
        block("CC", hydrogens=False),
        block("C[N+](=O)[O-]"),
        block("C[NH3+]"),
        block("O.O"),
        block("c1ccccc1"),
    )


def test_mixed_file(mixed: Path, tmp_path: Path) -> None:
    store = prepare([mixed], tmp_path / "store")
    assert store.vocabulary.elements == ("H", "C", "N", "O", "Cl")
    assert store.vocabulary.charges == (-1, 0, 1)
    smiles = [store.smiles(i) for i in range(len(store))]
    assert smiles == ["CCl", "CCO", "C[N+](=O)[O-]", "C[NH3+]", "c1ccccc1"]
    assert [canonical_smiles(decode(store[i], store.vocabulary)) for i in range(5)] == smiles
    assert store.source_index.tolist() == [0, 1, 4, 5, 7]
    assert store.meta["rejected"]["missing hydrogens"] == 1
    assert store.meta["rejected"]["fragments"] == 1
    assert sum(store.meta["rejected"].values()) == 3
    rejected = (store.path / "rejected.csv").read_text()
    assert "3,CC,missing hydrogens on C1" in rejected
    assert len(rejected.splitlines()) == 4
    assert len(store.indices("train")) > 0


def test_given_vocabulary(mixed: Path, tmp_path: Path) -> None:
    store = prepare([mixed], tmp_path / "store", vocabulary=QM9)
    assert store.vocabulary == QM9
    assert store.meta["rejected"]["element Cl is not in the vocabulary"] == 1
    assert len(store) == 4


def test_nothing_left_names_the_reasons(tmp_path: Path) -> None:
    file = sdf(tmp_path / "flat.sdf", block("CC", hydrogens=False), block("CCC", hydrogens=False))
    with pytest.raises(DataError, match=r"flat\.sdf.*missing hydrogens \(2\).*Add explicit"):
        prepare([file], tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_bad_fractions(tmp_path: Path) -> None:
    for fractions in [(0.9, 0.1, 0.1), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)]:
        with pytest.raises(ConfigError, match="fractions"):
            prepare([], tmp_path / "store", fractions=fractions)


def test_split_depends_on_the_molecules_only() -> None:
    smiles = [f"{'C' * n}O" for n in range(1, 41)]
    split = dict(zip(smiles, split_by_hash(smiles, THIRDS, seed=0), strict=True))
    shuffled = smiles[::-1] + smiles[:5]
    again = split_by_hash(shuffled, THIRDS, seed=0)
    assert [split[s] for s in shuffled] == again
    assert [list(split.values()).count(k) for k in range(3)] == [20, 10, 10]
    assert split_by_hash(smiles, THIRDS, seed=1) != list(split.values())


def test_shares_of_every_size_are_exact() -> None:
    smiles = [f"{'C' * n}O" for n in range(1, 41)]
    splits = split_by_hash(smiles, (0.6, 0.3, 0.1), seed=0)
    assert [splits.count(k) for k in range(3)] == [24, 12, 4]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiny_sets_keep_something_to_train_on(count: int) -> None:
    assert 0 in split_by_hash(["C", "N", "O"][:count], (0.34, 0.33, 0.33), seed=0)
