"""SMILES of components, from a table made here."""

from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from moldiff.chem import Rejected
from moldiff.data.druglike.binary_cif import read_tables
from moldiff.data.druglike.components import Component, component_smiles, read_components
from tests.data.druglike.packing import binary_cif, floats, numbers, texts

SMILES = {
    "AAA": "C[C@H](N)c1ccc(C(=O)O)cc1",
    "BBB": "O=[N+]([O-])c1ccc2[nH]ccc2c1",
    "CCC": "F/C=C/c1ccncc1",
    "DDD": "NCC(=O)O",
    "EEE": "Cc1ccccc1",
    "FFF": "O=C(O)COP(=O)(O)OP(=O)(O)OCCCCCCCCCC",
    "GGG": "Cc1ccccc1Br",
}
KIND = {"DDD": "L-PEPTIDE LINKING"}
STATUS = {"EEE": "OBS"}
WITHOUT_COORDINATES = "GGG"
ORDERS = {1: "SING", 2: "DOUB", 3: "TRIP"}


@pytest.fixture(scope="module")
def dictionary() -> bytes:
    """The components, kekulised and with all hydrogens, as the wwPDB has them."""
    atoms: dict[str, list[object]] = {name: [] for name in ("id", "label", "symbol", "charge")}
    bonds: dict[str, list[str]] = {name: [] for name in ("id", "first", "second", "order")}
    places: list[list[float]] = []
    known: list[int] = []
    for name, smiles in SMILES.items():
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
        Chem.Kekulize(mol, clearAromaticFlags=True)
        labels = [f"{atom.GetSymbol()}{atom.GetIdx()}" for atom in mol.GetAtoms()]
        for atom, label in zip(mol.GetAtoms(), labels, strict=True):
            atoms["id"].append(name)
            atoms["label"].append(label)
            atoms["symbol"].append(atom.GetSymbol().upper())
            atoms["charge"].append(atom.GetFormalCharge())
            known.append(2 if name == WITHOUT_COORDINATES else 0)
        for bond in mol.GetBonds():
            bonds["id"].append(name)
            bonds["first"].append(labels[bond.GetBeginAtomIdx()])
            bonds["second"].append(labels[bond.GetEndAtomIdx()])
            bonds["order"].append(ORDERS[int(bond.GetBondTypeAsDouble())])
        places += mol.GetConformer().GetPositions().tolist()
    axes = {
        f"pdbx_model_Cartn_{axis}_ideal": (floats([p[k] for p in places]), numbers(known, 4))
        for k, axis in enumerate("xyz")
    }
    return binary_cif(
        {
            "chem_comp": {
                "id": texts(list(SMILES)),
                "type": texts([KIND.get(name, "NON-POLYMER") for name in SMILES]),
                "pdbx_release_status": texts([STATUS.get(name, "REL") for name in SMILES]),
            },
            "chem_comp_atom": {
                "comp_id": texts([str(name) for name in atoms["id"]]),
                "atom_id": texts([str(label) for label in atoms["label"]]),
                "type_symbol": texts([str(symbol) for symbol in atoms["symbol"]]),
                "charge": numbers([int(str(charge)) for charge in atoms["charge"]]),
                **axes,
            },
            "chem_comp_bond": {
                "comp_id": texts(bonds["id"]),
                "atom_id_1": texts(bonds["first"]),
                "atom_id_2": texts(bonds["second"]),
                "value_order": texts(bonds["order"]),
            },
        }
    )


def test_components_are_the_molecules_of_their_table(dictionary: bytes) -> None:
    found = list(read_components(read_tables(dictionary)))
    made = [component_smiles(c) if isinstance(c, Component) else c for c in found]
    told = [c.reason if isinstance(c, Rejected) else c for c in made]
    assert told[:3] == [Chem.CanonSmiles(SMILES[name]) for name in ("AAA", "BBB", "CCC")]
    assert told[3:] == ["part of a polymer", "obsolete", "QED below 0.3", "no ideal coordinates"]


def test_a_bond_too_many_is_a_reason(dictionary: bytes) -> None:
    first = next(read_components(read_tables(dictionary)))
    assert isinstance(first, Component)
    heavier = tuple((a, b, "TRIP") for a, b, _ in first.bonds)
    broken = Component("AAA", first.symbols, first.charges, first.positions, heavier)
    found = component_smiles(broken)
    assert isinstance(found, Rejected) and found.reason.startswith("cannot be sanitised: Explicit")
