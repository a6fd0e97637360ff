"""Minimisation and search."""

import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem.rotors import find_rotors
from moldiff.docking.energy.atom_types import ligand_types
from moldiff.docking.energy.exact import Internal
from moldiff.docking.energy.grid import GridEnergy, build_grid
from moldiff.docking.energy.terms import internal_pairs
from moldiff.docking.minimise import minimise
from moldiff.docking.search import Schedule, cluster, search
from moldiff.domain.kinematics import Kinematics, random_poses
from tests.docking.test_energy import BOX, rng, target


@pytest.fixture(scope="module")
def problem():
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(=O)NCCc1ccc(O)cc1"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    mol = Chem.RemoveHs(mol)
    rotors, types = find_rotors(mol), ligand_types(mol)
    x = torch.tensor(mol.GetConformer().GetPositions(), dtype=torch.float32)
    kinematics = Kinematics(
        (x - x.mean(0))[None], torch.as_tensor(rotors.axis), torch.as_tensor(rotors.moves)
    )
    internal = Internal.of(types, internal_pairs(mol, rotors.axis, rotors.moves))
    return kinematics, GridEnergy(build_grid(target(25), types, BOX), types, internal)


def test_minimised_poses_are_never_worse_and_energies_are_theirs(problem):
    kinematics, energy = problem
    start = random_poses(kinematics, BOX, 24, rng=rng(1))
    before = energy(kinematics.place(start))
    poses, energies = minimise(kinematics, energy, start, iterations=80)
    assert bool((energies <= before).all())
    assert float(energies.median()) < float(before.median()) - 1
    torch.testing.assert_close(energy(kinematics.place(poses)), energies, rtol=1e-4, atol=1e-3)


def test_a_minimised_pose_is_a_minimum(problem):
    kinematics, energy = problem
    poses, energies = minimise(
        kinematics, energy, random_poses(kinematics, BOX, 16, rng=rng(2)), iterations=300
    )
    noise = torch.randn((16, 6 + kinematics.rotors), generator=rng(3))
    for size in (0.02, 0.05):
        moved = energy(kinematics.place(kinematics.retract(poses, size * noise)))
        assert float((moved > energies - 0.05).float().mean()) > 0.9


def test_a_batch_minimises_as_its_poses_alone_do(problem):
    kinematics, energy = problem
    start = random_poses(kinematics, BOX, 6, rng=rng(4))
    _, together = minimise(kinematics, energy, start, iterations=25)
    alone = [minimise(kinematics, energy, start[k], iterations=25)[1] for k in range(6)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0.02, atol=0.05)


def test_search_finds_what_minimisation_misses_and_repeats_itself(problem):
    kinematics, energy = problem
    start = random_poses(kinematics, BOX, 12, rng=rng(5))
    _, minimised = minimise(kinematics, energy, start)
    runs = [
        search(kinematics, energy, start, rounds=8, rng=rng(6), schedule=Schedule(exchange=3))
        for _ in range(2)
    ]
    poses, energies = runs[0]
    assert float(energies[0]) < float(minimised.min()) - 0.1
    assert bool((energies.diff() >= 0).all())
    assert len(poses) == len(energies) > 12
    torch.testing.assert_close(energies, runs[1][1])


def test_a_search_of_no_rounds_is_a_minimisation(problem):
    kinematics, energy = problem
    start = random_poses(kinematics, BOX, 5, rng=rng(7))
    _, energies = search(kinematics, energy, start, rounds=0, rng=rng(8))
    assert len(energies) == 5
    assert bool((energies <= energy(kinematics.place(start)).sort().values).all())


def test_cluster_keeps_the_best_of_each_neighbourhood():
    base = torch.randn((3, 7, 3), generator=rng(9)) * 5 + 40
    x = torch.cat((base, base + 0.1, base[:1] + 3))
    energies = torch.tensor([0.0, 2.0, 1.0, -1.0, 5.0, 0.5, 3.0])
    assert cluster(x, energies, threshold=1.0).tolist() == [3, 5, 1, 6]
    assert cluster(x, energies, threshold=1e-4).tolist() == energies.argsort().tolist()
