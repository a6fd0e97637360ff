"""Internal coordinates against RDKit's, and their changes."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolTransforms as transforms

from moldiff.metrics.internal import Internal, angles, bent, changes, dihedrals, lengths
from tests.molecules import embedded


@pytest.mark.parametrize("smiles", ["CCO", "C1CC1C=O", "FC(Cl)=CN", "O"])
def test_values_are_those_of_rdkit(smiles: str) -> None:
    mol = embedded(smiles)
    conformer, internal = mol.GetConformer(), Internal.of(mol)
    positions = np.array(conformer.GetPositions())
    for (i, j), found in zip(
        internal.bonds.tolist(), lengths(positions, internal.bonds), strict=True
    ):
        assert found == pytest.approx(transforms.GetBondLength(conformer, i, j))
    for atoms, found in zip(
        internal.angles.tolist(), angles(positions, internal.angles), strict=True
    ):
        assert found == pytest.approx(transforms.GetAngleDeg(conformer, *atoms))
    for atoms, found in zip(
        internal.torsions.tolist(), dihedrals(positions, internal.torsions), strict=True
    ):
        apart = found - transforms.GetDihedralDeg(conformer, *atoms)
        assert (apart + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)
    assert len(internal.bonds) == mol.GetNumBonds()


def test_each_angle_and_torsion_is_there_once() -> None:
    internal = Internal.of(embedded("CC"))
    assert (len(internal.bonds), len(internal.angles), len(internal.torsions)) == (7, 12, 9)
    ring = Internal.of(Chem.MolFromSmiles("C1CC1"))  # no torsion begins where it ends
    assert (len(ring.angles), len(ring.torsions)) == (3, 0)
    alone = Internal.of(Chem.MolFromSmiles("O"))
    assert alone.bonds.shape == (0, 2) and alone.torsions.shape == (0, 4)
    assert [len(c) for c in changes(alone, np.zeros((1, 3)), np.zeros((1, 3)))] == [0, 0, 0]


def chain(angle: float, torsion: float, length: float = 1.5) -> np.ndarray:
    """Four atoms: the angle in the middle of the first three, and the torsion of all, degrees."""
    a, t = np.radians(angle), np.radians(torsion)
    last = [1.0, np.cos(t), np.sin(t)]
    return np.array([[length * np.cos(a), length * np.sin(a), 0], [0, 0, 0], [1, 0, 0], last])


def test_changes_are_absolute_and_torsions_take_the_short_way() -> None:
    internal = Internal.of(Chem.MolFromSmiles("CCCC"))
    before, after = chain(110, 170), chain(100, -170, length=1.4)
    for one, other in ((before, after), (after, before)):
        bonds, bends, torsions = changes(internal, one, other)
        assert bonds == pytest.approx([0.1, 0, 0]) and bends == pytest.approx([10, 0])
        assert torsions == pytest.approx([20])
    mirrored = before * [1, 1, -1]
    assert changes(internal, before, mirrored)[2] == pytest.approx([20])


@pytest.mark.parametrize("which", [0, 1])
def test_torsions_about_straight_atoms_are_left_out(which: int) -> None:
    internal = Internal.of(Chem.MolFromSmiles("CCCC"))
    pair = [chain(110, 50), chain(110, 60)]
    assert bent(pair[0], internal.torsions).all()
    pair[which] = chain(178, 50)
    assert not bent(pair[which], internal.torsions).any()
    bonds, bends, torsions = changes(internal, *pair)
    assert len(torsions) == 0 and len(bonds) == 3 and len(bends) == 2
