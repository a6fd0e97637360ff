"""The match of conformers to a crystal pose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from rdkit import Chem

from moldiff.chem.geometry import turn
from moldiff.chem.rotors import Rotors, find_rotors
from moldiff.data.match import Match, match
from moldiff.geometry.arrays import shape_distances
from tests.molecules import embedded

FLEXIBLE = "C[C@@H]1CCCC[C@H]1OCC(=O)N[C@@H](CO)C(=O)[O-]"


def shape(smiles: str, seed: int) -> tuple[npt.NDArray[np.float32], Rotors]:
    mol = embedded(smiles, seed=seed)
    mol = Chem.RemoveHs(mol)
    x = mol.GetConformer().GetPositions()
    return (x - x.mean(0)).astype(np.float32), find_rotors(mol)


def placed(x: npt.NDArray[np.float32], rotors: Rotors, found: Match) -> npt.NDArray[np.float64]:
    """The conformer as the match says it lies."""
    y = turn(x[None].astype(float), rotors, found.torsions[None])[0]
    return np.asarray((y - y.mean(0)) @ found.rotation.T + found.centre)


def test_a_pose_of_the_conformer_is_recovered_exactly() -> None:
    x, rotors = shape(FLEXIBLE, 7)
    angles = np.random.default_rng(0).uniform(-np.pi, np.pi, (1, len(rotors)))
    target = turn(x[None].astype(float), rotors, angles)[0] + 10.0
    found = match(x, rotors, target.astype(np.float32))
    assert found.rmsd < 1e-3
    np.testing.assert_allclose(np.cos(found.torsions), np.cos(angles[0]), atol=1e-3)
    np.testing.assert_allclose(placed(x, rotors, found), target, atol=1e-2)


def test_a_foreign_geometry_comes_close() -> None:
    crystal, rotors = shape(FLEXIBLE, 11)
    found = [match(shape(FLEXIBLE, seed)[0], rotors, crystal) for seed in range(1, 9)]
    best = min(found, key=lambda m: m.rmsd)
    assert best.rmsd < 0.6
    x = placed(shape(FLEXIBLE, 1 + found.index(best))[0], rotors, best)
    off = np.sqrt(((x - crystal) ** 2).sum(1).mean())
    assert off == pytest.approx(best.rmsd, abs=1e-5)
    # Superposed as well as can be: no rigid motion brings the two nearer.
    assert shape_distances(np.stack((x, crystal)))[0, 1] == pytest.approx(best.rmsd, abs=1e-5)


def test_without_rotors_it_is_a_superposition() -> None:
    x, rotors = shape("c1ccc2ccccc2c1", 7)
    crystal, _ = shape("c1ccc2ccccc2c1", 8)
    found = match(x, rotors, crystal)
    assert found.torsions.shape == (0,) and found.rmsd < 0.1
