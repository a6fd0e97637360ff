"""Drawings of cages can be read: no bond is much longer than the others."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor

from moldiff.view.drawing import drawing
from moldiff.view.layout import lay_flat, unrest

CAGES = {
    "cubane": "C12C3C4C1C5C2C3C45",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "norbornane": "C1CC2CCC1C2",
    "quinuclidine": "C1CN2CCC1CC2",
    "camphor": "CC1(C)C2CCC1(C)C(=O)C2",
    "memantine": "CC12CC3CC(C)(C1)CC(N)(C3)C2",
    "morphine": "CN1CC[C@]23[C@@H]4[C@H]1CC5=C2C(=C(C=C5)O)O[C@H]3[C@H](C=C4)O",
}


def read(mol: Chem.Mol) -> tuple[np.ndarray, np.ndarray]:
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()])
    return mol.GetConformer().GetPositions()[:, :2], bonds


@pytest.mark.parametrize("name", CAGES)
def test_no_bond_is_stretched_across_a_cage(name: str) -> None:
    mol = Chem.MolFromSmiles(CAGES[name])
    lay_flat(mol)
    x, bonds = read(mol)
    lengths = np.linalg.norm(x[bonds[:, 0]] - x[bonds[:, 1]], axis=1)
    assert lengths.max() < 2.2 * lengths.min()
    assert np.median(lengths) == pytest.approx(1.5, abs=0.25)


def test_adamantane_needs_coordgen() -> None:
    mol = Chem.MolFromSmiles(CAGES["adamantane"])
    template = Chem.Mol(mol)
    rdDepictor.Compute2DCoords(template, useRingTemplates=True)
    lay_flat(mol)
    assert unrest(*read(mol)) < unrest(*read(template)) - 0.5


@pytest.mark.parametrize("smiles", ["CCO", "c1ccc2ccccc2c1", "CC1NC(=O)C(C)NC(=O)CNC(=O)C(C)NC1=O"])
def test_what_is_calm_stays(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    lay_flat(mol)
    assert unrest(*read(mol)) < 0.5


def test_unrest_counts_crossings_near_atoms_and_uneven_bonds() -> None:
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    around = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    assert unrest(square, around) == pytest.approx(0)
    bow = np.array([[0, 2], [2, 1], [1, 3], [3, 0]])  # two of the bonds are diagonals
    assert unrest(square, bow) == pytest.approx(1 + np.log(2))
    hidden = np.vstack([square, [[1.0, 1.1]], [[0.1, 1.1]]])
    assert unrest(hidden, np.vstack([around, [[4, 1]], [[5, 0]]])) >= 2


def test_a_drawing_knows_where_its_atoms_are() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("OCC"))
    drawn = drawing(mol)
    assert drawn is not None and sorted(drawn.places) == [0, 1, 2]
    assert all(0 <= x <= 160 and 0 <= y <= 120 for x, y in drawn.places.values())
    (ax, ay), (bx, by) = drawn.places[0], drawn.places[1]
    assert 10 < np.hypot(ax - bx, ay - by) < 60
