"""A file of molecules as the data of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.train.api import training_config, training_store


def sdf(path: Path, *smiles: str) -> Path:
    with Chem.SDWriter(str(path)) as writer:
        for text in smiles:
            mol = Chem.AddHs(Chem.MolFromSmiles(text))
            assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
            writer.write(mol)
    return path


@pytest.mark.parametrize(
    ("chain", "offered"), [("C" * 12, False), ("C" * 13, True), ("C" * 20, True)]
)
def test_large_molecules_get_the_offer_to_fold(tmp_path: Path, chain: str, offered: bool) -> None:
    source, run = sdf(tmp_path / "my.sdf", chain, chain), tmp_path / "runs" / "my"
    said, told = list[str](), list[str]()

    def open_store() -> None:
        config = training_config(str(source), output=str(run))
        training_store(
            config, announce=said.append, progress=lambda stage, done, total: told.append(stage)
        )

    open_store()
    assert said[0].startswith(f"Preparing {source}") and told[-1] == "writing"
    lines = [line for line in said if "two to three times as fast" in line]
    assert len(lines) == offered
    if offered:
        assert f"{len(chain)}.0 heavy atoms" in lines[0]
        fold = f"moldiff data fold {run}/data -o data/my-skeleton"
        assert lines[0].endswith(f"{fold} && moldiff train data/my-skeleton")
    said.clear(), told.clear()
    open_store()
    assert said == [] == told  # it is there


def test_from_python_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = sdf(tmp_path / "my.sdf", "CCCO", "CCO")
    assert training_store(training_config(str(source), output=str(tmp_path / "run")))
    assert capsys.readouterr() == ("", "")
