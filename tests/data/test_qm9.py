"""The reader of qm9pack's rows, on rows written here; the whole path where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from rdkit.Chem import AllChem

from moldiff.chem import QM9, Rejected, canonical_smiles, decode
from moldiff.data import qm9
from moldiff.data.bonds import assign_bonds
from moldiff.errors import DataError, MissingExtraError
from tests.molecules import embedded

WATER = {
    "XYZ_file": "dsgdb9nsd_000003.xyz",
    "SMILES": "O",
    "N_atoms": "3",
    "Stoichiometry": "[2,0,0,1,0]",
    "Elements": "['O','H','H']",
    "XYZ_Ang": "[[-0.0343604951,0.9775395708,0.],[0.0647664923, 0.0205721989,0.0015346341],"
    "[0.8717903737,1.3007924048,-6.931336e-4]]",
    **{column: "1." for _, _, column in qm9.PROPERTIES},
}


def test_parse() -> None:
    row = qm9.parse_row(WATER)
    assert isinstance(row, qm9.Parsed)
    assert row.symbols == ("O", "H", "H")
    assert row.positions[0].tolist() == [-0.0343604951, 0.9775395708, 0.0]
    assert row.positions[2, 2] == -6.931336e-4
    assert row.properties == (1.0,) * 15


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"N_atoms": "4"}, "counts disagree"),
        ({"Elements": "['O','H']"}, "counts disagree"),
        ({"Elements": "['H','H','H']"}, "counts disagree"),
        ({"XYZ_Ang": "[[0.,0.,1.],[0.,1.,0.]]"}, "counts disagree"),
        ({"XYZ_Ang": "[[0.,0.,1.],[0.,1.,0.],[1.,0.,nan]]"}, "non-finite"),
        ({"XYZ_Ang": "[[0.,0.,1.],[0.,1.,0.],[1.,0.,1*^-6]]"}, "unreadable row"),
        ({"XYZ_Ang": ""}, "unreadable row"),
        ({"HOMO_au": "inf"}, "non-finite"),
        ({"HOMO_au": ""}, "unreadable row"),
    ],
)
def test_bad_rows_have_a_reason(change: dict[str, str], reason: str) -> None:
    result = qm9.parse_row({**WATER, **change})
    assert isinstance(result, Rejected)
    assert result.reason.startswith(reason)


def test_row_without_a_column() -> None:
    row = {key: value for key, value in WATER.items() if key != "SMILES"}
    assert isinstance(qm9.parse_row(row), Rejected)


def test_edm_split() -> None:
    split = qm9.edm_split()
    assert np.bincount(split).tolist() == [100_000, 17_748, 13_083]
    # The legacy generator's own stream, as np.random.seed(0) would start it; global state is safe.
    before = np.random.get_state()[1]  # noqa: NPY002
    permutation = np.random.RandomState(0).permutation(130_831)
    assert permutation[:3].tolist() == [130_195, 68_784, 7_957]
    assert (split[permutation[:100_000]] == 0).all()
    assert (split[permutation[-13_083:]] == 2).all()
    assert np.array_equal(qm9.edm_split(), split)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    "smiles", ["C=O", "c1cc[nH]c1", "C#N", "C[N+]#[C-]", "OC(F)=O", "[NH3+]CC([O-])=O", "c1ccccc1"]
)
def test_bonds_from_a_geometry(smiles: str) -> None:
    mol = embedded(smiles, seed=1)
    AllChem.MMFFOptimizeMolecule(mol)
    symbols = [atom.GetSymbol() for atom in mol.GetAtoms()]
    found = list(assign_bonds(symbols, mol.GetConformer().GetPositions(), smiles))
    mols = {route: mol for route, mol in found if not isinstance(mol, str)}
    assert canonical_smiles(mols["template"]) == canonical_smiles(mol)
    assert found[0][0] == "geometry" or "geometry, not the SMILES" in dict(found)


def test_a_template_that_does_not_fit_says_why() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    found = dict(assign_bonds(("O", "H", "H"), positions, "CC"))
    assert found["template"] == "the SMILES has 8 atoms, the geometry 3"
    assert canonical_smiles(found["geometry, not the SMILES"]) == "O"
    unreadable = dict(assign_bonds(("O", "H", "H"), positions, "C(("))
    assert "cannot be read" in unreadable["template"]


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"moldiff\[qm9\]"):
        qm9.source_files()


def csv_line(values: list[str]) -> str:
    return ",".join('"' + value + '"' for value in values) + "\n"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of three rows in place of qm9pack: water, a broken row, water."""
    rows = [WATER, {**WATER, "N_atoms": "4"}, WATER]
    path = tmp_path / "part.csv"
    path.write_text(csv_line(list(WATER)) + "".join(csv_line(list(row.values())) for row in rows))
    monkeypatch.setattr(qm9, "source_files", lambda: [path])
    return path


def test_prepare_lists_what_it_rejects(small: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    store = qm9.prepare(tmp_path / "s", limit=3, progress=lambda *args: calls.append(args))
    assert calls == [("preparing QM9", 0, 0), ("preparing QM9", 3, 3), ("writing", 3, 3)]
    assert store.source_index.tolist() == [0, 2]
    assert store.meta["rejected"] == {"counts disagree": 1}
    assert '1,dsgdb9nsd_000003.xyz,"counts disagree' in (store.path / "rejected.csv").read_text()
    assert canonical_smiles(decode(store[1], QM9)) == "O"


def test_prepare_notices_missing_rows_and_columns(small: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 rows, 130831 expected"):
        qm9.prepare(tmp_path / "s")
    small.write_text(small.read_text().replace("HOMO_au", "HOMO_eV"))
    with pytest.raises(DataError, match="HOMO_au"):
        qm9.prepare(tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.skipif(importlib.util.find_spec("qm9pack") is None, reason="needs qm9pack")
def test_first_rows_of_qm9(tmp_path: Path) -> None:
    one = qm9.prepare(tmp_path / "one", limit=60)
    two = qm9.prepare(tmp_path / "two", limit=60, jobs=2)
    assert len(one) == 60
    assert [one.smiles(i) for i in range(4)] == ["C", "N", "O", "C#C"]
    assert one.meta["sha256"] == two.meta["sha256"]
    assert one.properties is not None
    assert one.properties[0, one.property_names.index("alpha")] == 13.21
