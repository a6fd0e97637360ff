"""Molecules of every kind the viewer meets: sound, broken, hostile, without bonds, unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from moldiff.docking.preparation import Preparation, prepare
from moldiff.io import Record
from moldiff.view import Frame
from tests.molecules import embedded
from tests.view.webdriver import Browser

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
HOSTILE = "</script><script>document.body.dataset.error='run'</script><img src=x onerror=alert(1)>"


def as_read(mol: Chem.Mol) -> Chem.Mol:
    """The molecule as an SDF reader that does not sanitise gives it."""
    return Chem.MolFromMolBlock(
        Chem.MolToMolBlock(mol, kekulize=False), sanitize=False, removeHs=False
    )


def pentavalent() -> Chem.Mol:
    """Ethanol whose first carbon has five bonds."""
    mol = Chem.RWMol(embedded("CCO"))
    mol.AddBond(0, mol.AddAtom(Chem.Atom(1)), Chem.BondType.SINGLE)
    return as_read(mol)


def without_bonds(smiles: str) -> Chem.Mol:
    mol = Chem.RWMol(embedded(smiles))
    for bond in list(mol.GetBonds()):
        mol.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    return mol.GetMol()


def record(mol: Chem.Mol | None, name: str, **changes: Any) -> Record:
    fields = {"reason": None, "source": "a.sdf", "index": 0, "tags": {}} | changes
    return Record(mol=mol, name=name, **fields)


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    return record


@pytest.fixture(scope="session")
def records() -> list[Record]:
    return [
        record(as_read(embedded("NC(=O)c1ccco1")), "amide", tags={"energy": "-1.5"}),
        record(as_read(embedded("CC#CC(O)C=O")), "alkyne", tags={"energy": "-10.25"}),
        record(pentavalent(), "texas", tags={"energy": "2"}),
        record(as_read(embedded("C.O")), "two"),
        record(without_bonds("CCO"), "bare", source="a.xyz"),
        record(None, "broken", reason="unreadable: atom line 7"),
        record(as_read(embedded("[O-]C(=O)C[NH3+]")), HOSTILE, tags={HOSTILE: HOSTILE}),
    ]


@pytest.fixture(scope="session")
def trajectory() -> list[Frame]:
    """Eleven frames from noise to the amide of ``records``; types settle half way."""
    mol = embedded("NC(=O)c1ccco1")
    positions = mol.GetConformer().GetPositions()
    elements = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    noise = np.random.default_rng(0).normal(size=positions.shape)
    return [
        Frame(
            elements if t < 0.5 else ("C",) * len(elements),
            (1 - t) * positions + t * noise,
            t=float(t),
        )
        for t in np.linspace(1, 0, 11)
    ]


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(session: Browser) -> Iterator[Browser]:
    """A session in which the test must leave no error behind."""
    yield session
    assert session.data("error") is None
    assert session.errors() == []


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Preparation:
    """The example's receptor with its ligand in it."""
    mol = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    ligand = [
        row.replace("UNL     1", "DEX A 301")
        for row in Chem.MolToPDBBlock(mol).splitlines()
        if row.startswith("HETATM")
    ]
    rows = (EXAMPLE / "receptor.pdb").read_text(encoding="ascii").splitlines()
    rows = [row for row in rows if row.startswith("ATOM")]
    path = tmp_path_factory.mktemp("prepared") / "<b>complex.pdb"
    path.write_text("\n".join([*rows, *ligand, "END", ""]), encoding="ascii")
    return prepare(path)
