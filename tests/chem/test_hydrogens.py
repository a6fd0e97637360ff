"""Hydrogens folded into classes, put back as atoms, and relaxed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from moldiff.chem import (
    Encoded,
    Rejected,
    Vocabulary,
    canonical_smiles,
    decode,
    encode,
    relax_hydrogens,
    sanitised,
    strict_failure,
)
from moldiff.chem.formula import parse_formula
from moldiff.errors import ConfigError, InputError

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
MOLECULES = list(Chem.SDMolSupplier(str(SAMPLE), sanitize=False, removeHs=False))
ELEMENTS, COUNTS = ("C", "N", "O", "F"), range(5)
FOLDED = Vocabulary(
    tuple(e for e in ELEMENTS for _ in COUNTS),
    (-1, 0, 1),
    tuple(h for _ in ELEMENTS for h in COUNTS),
)


def folded(mol: Chem.Mol) -> Encoded:
    arrays = encode(mol, FOLDED)
    assert isinstance(arrays, Encoded), arrays
    return arrays


def energy(mol: Chem.Mol) -> float:
    clean = sanitised(mol)
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(clean)
    return float(rdForceFieldHelpers.MMFFGetMoleculeForceField(clean, properties).CalcEnergy())


def heavy(mol: Chem.Mol) -> np.ndarray:
    kept = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    return np.array(mol.GetConformer().GetPositions())[kept]


@pytest.mark.parametrize("mol", MOLECULES, ids=lambda mol: mol.GetProp("_Name"))
def test_round_trip(mol: Chem.Mol) -> None:
    before, arrays = mol.ToBinary(), folded(mol)
    back = decode(arrays, FOLDED)
    assert mol.ToBinary() == before
    assert len(arrays.types) == mol.GetNumHeavyAtoms() and back.GetNumAtoms() == mol.GetNumAtoms()
    assert strict_failure(back) is None
    assert canonical_smiles(back) == canonical_smiles(mol)
    np.testing.assert_allclose(heavy(back), heavy(mol), atol=1e-4)
    again = folded(back)
    for name in ("positions", "types", "charges", "bonds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(arrays, name))


@pytest.mark.parametrize("mol", MOLECULES[::5], ids=lambda mol: mol.GetProp("_Name"))
def test_relaxing_moves_hydrogens_alone_and_downhill(mol: Chem.Mol) -> None:
    placed = decode(folded(mol), FOLDED)
    before = placed.ToBinary()
    relaxed = relax_hydrogens(placed)
    assert placed.ToBinary() == before
    np.testing.assert_allclose(heavy(relaxed), heavy(placed), atol=1e-6)
    assert canonical_smiles(relaxed) == canonical_smiles(placed)
    if mol.GetNumAtoms() > mol.GetNumHeavyAtoms():
        assert energy(relaxed) < energy(placed)
        lengths = [
            float(np.linalg.norm(np.subtract(*(relaxed.GetConformer().GetPositions()[[i, j]]))))
            for i, j in (
                (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
                for bond in relaxed.GetBonds()
                if bond.GetEndAtom().GetAtomicNum() == 1
            )
        ]
        assert min(lengths) > 0.9 and max(lengths) < 1.15


@pytest.mark.parametrize(
    ("smiles", "moves"), [("C[Se]C", True), ("[CH3][Xe]", False), ("FC(F)(F)Cl", False)]
)
def test_relaxing_what_mmff94_does_not_know(smiles: str, moves: bool) -> None:
    """UFF knows selenium, nobody this xenon; and where there is no hydrogen, nothing moves."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(2.0 * np.random.default_rng(0).normal(size=(mol.GetNumAtoms(), 3)))
    mol.AddConformer(conformer)
    before, after = (m.GetConformer().GetPositions() for m in (mol, relax_hydrogens(mol)))
    assert (not np.array_equal(before, after)) == moves
    np.testing.assert_array_equal(heavy(relax_hydrogens(mol)), heavy(mol))


@pytest.mark.parametrize("scale", [0.0, 1e9, 1e200, float("nan")])
def test_relaxing_absurd_geometries(scale: float) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("CO"))
    conformer = Chem.Conformer(6)
    conformer.SetPositions(scale * np.arange(18.0).reshape(6, 3) ** 2)
    mol.AddConformer(conformer)
    np.testing.assert_array_equal(heavy(relax_hydrogens(mol)), heavy(mol))


def test_classes_are_elements_with_their_hydrogens() -> None:
    methanol = Chem.AddHs(Chem.MolFromSmiles("CO"))
    conformer = Chem.Conformer(6)
    conformer.SetPositions(np.arange(18.0).reshape(6, 3))
    conformer.Set3D(True)
    methanol.AddConformer(conformer)
    arrays = folded(methanol)
    assert [FOLDED.kinds[k] for k in arrays.types] == [("C", 3), ("O", 1)]
    assert arrays.bonds.tolist() == [1]
    few = Vocabulary(("C", "O"), (0,), (3, 0))
    assert encode(methanol, few) == Rejected("O with 1 hydrogens is no class")


@pytest.mark.parametrize("smiles", ["[H][H]", "[H-].[Na+]", "[B]1[H][H]1"])
def test_a_hydrogen_needs_one_heavy_atom(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles, sanitize=False)
    mol.AddConformer(Chem.Conformer(mol.GetNumAtoms()))
    vocabulary = Vocabulary(("B", "Na", "C"), (-1, 0, 1), (0, 0, 4))
    assert encode(mol, vocabulary) == Rejected("hydrogen without its one heavy atom")


def test_absurd_arrays_decode() -> None:
    """Whatever a network may say: all bonds triple, all classes CH4, on one point, not finite."""
    n, kind = 5, FOLDED.kinds.index(("C", 4))
    for points in (np.zeros((n, 3)), np.full((n, 3), np.nan), np.eye(5)[:, :3] * 1e9):
        arrays = Encoded(
            points.astype(np.float32),
            np.full(n, kind, np.int8),
            np.zeros(n, np.int8),
            np.full(10, 3, np.int8),
        )
        mol = decode(arrays, FOLDED)
        assert mol.GetNumAtoms() == 25 and strict_failure(mol) is not None
        assert relax_hydrogens(mol).GetNumAtoms() == 25
    empty = Encoded(*(np.zeros(s, t) for s, t in (((0, 3), "f4"), (0, "i1"), (0, "i1"), (0, "i1"))))
    assert decode(empty, FOLDED).GetNumAtoms() == 0


def test_vocabulary() -> None:
    assert Vocabulary.from_dict(FOLDED.to_dict()) == FOLDED
    assert FOLDED.explicit == Vocabulary(("H", *ELEMENTS), (-1, 0, 1))
    assert FOLDED.classes["types"] == 20
    for elements, hydrogens in [
        (("C", "C"), (1, 1)),
        (("H",), (0,)),
        (("C",), (-1,)),
        (("C",), (1, 2)),
    ]:
        with pytest.raises(ConfigError):
            Vocabulary(elements, (0,), hydrogens)
    with pytest.raises(InputError, match="formula"):
        parse_formula("CH4", FOLDED)
