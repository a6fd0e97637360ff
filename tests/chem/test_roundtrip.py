"""Molecule -> arrays -> molecule, on real QM9 molecules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem import (
    QM9,
    Encoded,
    Rejected,
    Vocabulary,
    canonical_smiles,
    decode,
    encode,
    pair_indices,
    strict_failure,
)
from moldiff.chem.vocabulary import BOND_INDEX, BOND_TYPES
from moldiff.errors import ConfigError
from tests.molecules import embedded

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
MOLECULES = list(Chem.SDMolSupplier(str(SAMPLE), sanitize=False, removeHs=False))


def encoded(mol: Chem.Mol, vocabulary: Vocabulary = QM9) -> Encoded:
    result = encode(mol, vocabulary)
    assert isinstance(result, Encoded), result
    return result


def reason(mol: Chem.Mol) -> str:
    result = encode(mol, QM9)
    assert isinstance(result, Rejected)
    return result.reason


def test_the_sample_is_worth_testing_on() -> None:
    smiles = [mol.GetProp("smiles") for mol in MOLECULES]
    assert len(MOLECULES) == 50
    for feature in ("+", "F", "#", "c", "n", "o"):
        assert any(feature in s for s in smiles), feature


@pytest.mark.parametrize("mol", MOLECULES, ids=lambda mol: mol.GetProp("_Name"))
def test_round_trip(mol: Chem.Mol) -> None:
    before = mol.ToBinary()
    arrays = encoded(mol)
    back = decode(arrays, QM9)
    assert mol.ToBinary() == before
    assert canonical_smiles(back) == canonical_smiles(mol) == mol.GetProp("smiles")
    assert canonical_smiles(back, stereo=True) == canonical_smiles(mol, stereo=True)
    assert strict_failure(back) is None
    np.testing.assert_allclose(
        back.GetConformer().GetPositions(), mol.GetConformer().GetPositions(), atol=1e-4
    )
    again = encoded(back)
    for name in ("positions", "types", "charges", "bonds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(arrays, name))


def test_arrays_of_formaldehyde() -> None:
    arrays = encoded(embedded("C=O"))
    assert (arrays.positions.shape, arrays.positions.dtype) == ((4, 3), np.float32)
    assert arrays.types.tolist() == [1, 3, 0, 0]
    assert arrays.charges.tolist() == [1, 1, 1, 1]
    assert arrays.bonds.tolist() == [2, 1, 1, 0, 0, 0]  # CO CH CH OH OH HH
    assert {a.dtype for a in (arrays.types, arrays.charges, arrays.bonds)} == {np.dtype(np.int8)}


def test_aromatic_input_is_kekulised_in_a_copy() -> None:
    benzene = embedded("c1ccccc1")
    before = benzene.ToBinary()
    bonds = np.bincount(encoded(benzene).bonds, minlength=4)
    assert bonds.tolist() == [66 - 12, 9, 3, 0]
    assert benzene.ToBinary() == before


def test_decode_says_only_what_the_arrays_say() -> None:
    arrays = encoded(embedded("C"))
    lone = Encoded(arrays.positions, arrays.types, arrays.charges, np.zeros_like(arrays.bonds))
    mol = decode(lone, QM9)
    assert mol.GetNumBonds() == 0
    assert all(atom.GetNoImplicit() for atom in mol.GetAtoms())
    assert mol.GetNumConformers() == 1
    assert strict_failure(mol) == "fragments: 5"


def test_empty_and_single_atoms_decode() -> None:
    none = Encoded(
        np.zeros((0, 3), np.float32),
        np.zeros(0, np.int8),
        np.zeros(0, np.int8),
        np.zeros(0, np.int8),
    )
    assert decode(none, QM9).GetNumAtoms() == 0
    one = Encoded(
        np.zeros((1, 3), np.float32), np.ones(1, np.int8), np.ones(1, np.int8), np.zeros(0, np.int8)
    )
    assert strict_failure(decode(one, QM9)) == "missing hydrogens on C1"


def test_what_cannot_be_encoded_has_a_reason() -> None:
    assert reason(embedded("CCl")) == "element Cl is not in the vocabulary"
    assert reason(Chem.MolFromSmiles("CC")) == "no coordinates"
    assert reason(Chem.RemoveHs(embedded("CC"))) == "missing hydrogens on C1"
    assert reason(Chem.Mol()) == "empty"
    broken = embedded("CC")
    broken.GetConformer().SetAtomPosition(3, [np.nan, 0.0, 0.0])
    assert reason(broken) == "non-finite coordinates"
    flat = Chem.AddHs(Chem.MolFromSmiles("CC"))
    AllChem.Compute2DCoords(flat)
    assert reason(flat) == "two-dimensional coordinates"
    doubly = Chem.RWMol(embedded("C"))
    doubly.GetAtomWithIdx(0).SetFormalCharge(2)
    assert reason(doubly) == "charge +2 is not in the vocabulary"
    dative = Chem.RWMol(embedded("CN"))
    dative.GetBondBetweenAtoms(0, 1).SetBondType(Chem.BondType.DATIVE)
    assert reason(dative) == "bond type dative"


def test_pairs_are_in_triu_order_and_read_only() -> None:
    rows, columns = pair_indices(5)
    np.testing.assert_array_equal((rows, columns), np.triu_indices(5, 1))
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 3


def test_vocabulary() -> None:
    assert QM9.classes == {"types": 5, "charges": 3, "bonds": 4}
    assert Vocabulary.from_dict(QM9.to_dict()) == QM9
    for elements, charges in [(("H", "Xx"), (0,)), (("C", "C"), (0,)), ((), (0,)), (("C",), (1,))]:
        with pytest.raises(ConfigError):
            Vocabulary(elements, charges)
    with pytest.raises(ConfigError, match="charges"):
        Vocabulary.from_dict({"elements": ["C"]})


def test_bond_types_are_one_table() -> None:
    assert len(BOND_TYPES) == len(QM9.BONDS) and BOND_TYPES[0] is None
    for index, (kind, name) in enumerate(zip(BOND_TYPES, QM9.BONDS, strict=True)):
        assert kind is None or (kind.name.lower() == name and BOND_INDEX[kind] == index)
