"""No test complex may be known from training: the rules of the data, checked on the data."""

from __future__ import annotations

import csv
import io
import os
import tarfile
from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.chem.quiet import quiet

DATA = Path(
    os.environ.get("MOLDIFF_COMPLEXES", Path(__file__).parents[4] / "shared/data/complexes")
)
EXCLUDED = Path(__file__).parents[3] / "datasets/complexes/exclude.txt"
TESTS = ("astex", "posebusters_a", "casf2016")
_SAME = 0.5  # share of common pocket fragments: nearly always the same protein or a homologue
_TO_TESTS, _TO_TRAIN = "train_pocket_similarity_to_tests", "test_max_similarity_to_train"
Rows = list[dict[str, str]]


def table(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def index(name: str) -> Rows:
    """The index of a set, from its folder or its archive."""
    if (DATA / name / "index.csv").is_file():
        return table(DATA / name / "index.csv")
    with tarfile.open(DATA / f"{name}.tar.xz") as archive:
        for member in archive:  # the index comes first: the rest is not unpacked
            if member.name.removeprefix("./") == f"{name}/index.csv":
                content = archive.extractfile(member)
                assert content is not None
                return list(csv.DictReader(io.TextIOWrapper(content, encoding="utf-8")))
    raise AssertionError(f"{name} has no index")


def sets() -> list[str]:
    if not DATA.is_dir():
        return []
    names = {path.name.removesuffix(".tar.xz") for path in DATA.iterdir()}
    return sorted(name for name in names if name.startswith("train_") and "." not in name)


pytestmark = pytest.mark.skipif(
    not sets(), reason=f"no complexes in {DATA} (set MOLDIFF_COMPLEXES): split rules not checked"
)


@pytest.fixture(scope="module")
def indices() -> dict[str, Rows]:
    return {name: index(name) for name in (*sets(), *TESTS)}


def test_no_entry_is_shared(indices: dict[str, Rows]) -> None:
    tested = {row["pdb"].lower() for name in TESTS for row in indices[name]}
    assert len(tested) > 400
    trained = {row["pdb"].lower(): name for name in sets() for row in indices[name]}
    assert not {pdb: name for pdb, name in trained.items() if pdb in tested}


def skeleton(smiles: str) -> str | None:
    """A ligand without charges, stereochemistry and bond orders: protonation must not hide it."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            return None
        plain = Chem.RWMol(mol)
        for atom in plain.GetAtoms():
            atom.SetFormalCharge(0)
            atom.SetIsAromatic(False)
            atom.SetNoImplicit(True)
            atom.SetNumExplicitHs(0)
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        for bond in plain.GetBonds():
            bond.SetIsAromatic(False)
            bond.SetBondType(Chem.BondType.SINGLE)
            bond.SetStereo(Chem.BondStereo.STEREONONE)
        return str(Chem.MolToSmiles(plain))


def test_no_protein_is_shared_with_its_ligand(indices: dict[str, Rows]) -> None:
    """Training complexes that hold a test's ligand in a like pocket are on the list left out."""
    paths = [DATA / f"{name}.csv" for name in (_TO_TESTS, _TO_TRAIN)]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"no similarities in {DATA}: near-identical proteins are not checked")
    near = {(r["set"], r["id"]) for r in table(paths[1]) if float(r["max_sim"] or 0) >= _SAME}
    asked = {
        name: {
            skeleton(row["smiles"])
            for row in indices[name]
            if (name.removesuffix("_a"), row["id"]) in near
        }
        - {None}
        for name in TESTS
    }
    smiles = {(name, r["id"]): r["smiles"] for name in sets() for r in indices[name]}
    found = set()
    for row in table(paths[0]):
        key = row["set"], row["id"]
        for name in TESTS:
            alike = float(row[f"{name.removesuffix('_a')}_sim"] or 0) >= _SAME
            if alike and key in smiles and skeleton(smiles[key]) in asked[name]:
                found.add("/".join(key))
    assert found, "the tables of similarity fit no set"
    left_out = EXCLUDED.read_text(encoding="utf-8").splitlines()
    assert found <= set(left_out)
