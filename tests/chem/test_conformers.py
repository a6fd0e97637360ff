"""Conformer ensembles."""

from functools import lru_cache

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdMolAlign, rdMolTransforms

from moldiff.chem.conformers import conformers
from moldiff.chem.geometry import dihedrals
from moldiff.geometry.arrays import shape_distances, wrap
from tests.molecules import embedded

FLEXIBLE = "C[C@@H]1CCCC[C@H]1OCC(=O)N[C@@H](CO)C(=O)[O-]"


@lru_cache
def flexible():
    """The ensemble of a molecule with a ring, stereo centres and rotors; built once."""
    return conformers(Chem.MolFromSmiles(FLEXIBLE))


def bond_lengths(x, mol, heavy):
    place = {int(i): k for k, i in enumerate(heavy)}
    pairs = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    rows = [(place[i], place[j]) for i, j in pairs if i in place and j in place]
    return np.array([np.linalg.norm(x[:, i] - x[:, j], axis=-1) for i, j in rows])


def test_ensemble_is_centred_sorted_and_in_the_order_of_the_input():
    mol = Chem.MolFromSmiles(FLEXIBLE)
    ensemble = flexible()
    c, n = len(ensemble), mol.GetNumAtoms()
    assert 2 <= c <= 8
    assert ensemble.positions.shape == (c, n, 3) and ensemble.positions.dtype == np.float32
    np.testing.assert_allclose(ensemble.positions.mean(1), 0, atol=1e-5)
    assert (np.diff(ensemble.energies) >= 0).all()
    assert ensemble.heavy.tolist() == list(range(n))
    assert ensemble.mol.GetNumConformers() == c
    for k, x in enumerate(ensemble.positions):
        own = ensemble.mol.GetConformer(k).GetPositions()[ensemble.heavy]
        np.testing.assert_allclose(own - own.mean(0), x, atol=1e-4)
    numbers = [a.GetAtomicNum() for a in mol.GetAtoms()]
    assert [ensemble.mol.GetAtomWithIdx(int(i)).GetAtomicNum() for i in ensemble.heavy] == numbers


def test_hydrogens_between_heavy_atoms_keep_their_place():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    mol = Chem.RenumberAtoms(mol, [3, 0, 4, 1, 5, 2, 6, 7, 8])
    ensemble = conformers(mol)
    assert ensemble.heavy.tolist() == [1, 3, 5]
    assert ensemble.mol.GetNumAtoms() == 9


def test_same_seed_same_conformers_other_seed_others():
    mol = Chem.MolFromSmiles(FLEXIBLE)
    a, b, c = (conformers(mol, seed=s, count=2).positions for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert a.shape != c.shape or not np.allclose(a, c)


def test_ring_flips_are_kept_and_rotors_alone_make_no_new_conformer():
    rings = conformers(Chem.MolFromSmiles("CC1CCC(C(C)(C)C)CC1"))
    assert len(rings) >= 2
    x = rings.positions[:, [1, 2, 3, 4, 9, 10]].astype(float)
    assert shape_distances(x).max() > 0.3
    assert len(conformers(Chem.MolFromSmiles("CCCCCCc1ccccc1"))) == 1


def test_chirality_is_that_of_the_graph_in_every_conformer():
    ensemble = flexible()
    for k in range(len(ensemble)):
        copy = Chem.Mol(ensemble.mol)
        Chem.AssignStereochemistryFrom3D(copy, k)
        assert Chem.MolToSmiles(Chem.RemoveHs(copy)) == Chem.CanonSmiles(FLEXIBLE)


def test_stereo_left_open_is_taken_from_coordinates():
    mol = embedded("C[C@H](F)C(=O)N")
    expected = Chem.MolToSmiles(Chem.RemoveHs(mol))
    open_stereo = Chem.Mol(mol)
    Chem.RemoveStereochemistry(open_stereo)
    found = conformers(open_stereo).mol
    assert Chem.MolToSmiles(Chem.RemoveHs(found)) == expected


def test_input_coordinates_do_not_matter():
    folded = Chem.RemoveHs(embedded(FLEXIBLE))
    np.testing.assert_array_equal(conformers(folded).positions, flexible().positions)
    assert folded.GetNumConformers() == 1


@pytest.mark.parametrize(
    "smiles", ["C", "[Zn+2]", "[Cl-]", "CC", "OB(O)c1ccccc1", "C1CCCCCCCCCCC1"]
)
def test_small_odd_and_large_rings(smiles):
    ensemble = conformers(Chem.MolFromSmiles(smiles))
    assert len(ensemble) >= 1 and np.isfinite(ensemble.positions).all()


@pytest.mark.parametrize(
    ("mol", "reason"),
    [
        (Chem.MolFromSmiles("[H][H]", sanitize=False), "no heavy atoms"),
        (Chem.MolFromSmiles("CC.CC"), "more than one fragment"),
        (Chem.MolFromSmiles("CC(C)(C)(C)C", sanitize=False), "cannot be sanitised"),
        (Chem.MolFromSmiles("C[C@]12CC[C@@](F)(C1)CC2"), "cannot be built"),  # trans bridgeheads
    ],
)
def test_what_cannot_be_built_gives_a_reason(mol, reason):
    result = conformers(mol, count=1)
    assert isinstance(result, str) and reason in result


def test_geometry_agrees_with_rdkit():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCC(O)CN"))
    rdDistGeom.EmbedMultipleConfs(mol, 3, randomSeed=3)
    x = np.stack([c.GetPositions() for c in mol.GetConformers()])
    quads = np.array([[0, 1, 2, 4], [1, 2, 4, 5]])
    expected = [
        [rdMolTransforms.GetDihedralRad(c, *map(int, q)) for q in quads]
        for c in mol.GetConformers()
    ]
    np.testing.assert_allclose(wrap(dihedrals(x, quads) - np.array(expected)), 0, atol=1e-6)
    rmsd = rdMolAlign.AlignMol(
        Chem.Mol(mol), mol, 0, 1, atomMap=[(i, i) for i in range(x.shape[1])]
    )
    assert shape_distances(x)[0, 1] == pytest.approx(rmsd, abs=1e-5)
