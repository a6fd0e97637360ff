"""A ligand may be an XYZ file: its bonds are inferred as everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from moldiff.chem import canonical_smiles
from moldiff.docking.library.entries import read_library
from moldiff.docking.ligands import read_ligand
from moldiff.errors import InputError
from moldiff.io import write
from tests.molecules import embedded


def test_ligands_and_libraries(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    write([embedded("CC(=O)Nc1ccc(O)cc1")], path)
    mol, name = read_ligand(path)
    assert canonical_smiles(mol) == "CC(=O)Nc1ccc(O)cc1" and name == "a"
    (entry,) = read_library(path)
    assert canonical_smiles(entry.mol) == "CC(=O)Nc1ccc(O)cc1"


def test_why_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    write([embedded("[NH4+]")], path)
    with pytest.raises(InputError, match="odd number of electrons at charge 0"):
        read_ligand(path)
    (entry,) = read_library(path)
    assert entry.mol is None and "odd number of electrons" in entry.reason
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "charge=1", *lines[2:]]) + "\n")
    assert canonical_smiles(read_ligand(path)[0]) == "[NH4+]"
