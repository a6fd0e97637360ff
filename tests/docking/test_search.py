"""Minimisation and search."""

import math

import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem.rotors import find_rotors
from moldiff.docking.energy.atom_types import ligand_types
from moldiff.docking.energy.exact import Energy, Internal
from moldiff.docking.energy.grid import GridEnergy, build_grid
from moldiff.docking.energy.terms import internal_pairs
from moldiff.docking.minimise import minimise
from moldiff.docking.search import Schedule, accepts, cluster, search
from moldiff.domain.kinematics import Kinematics, Pose, random_poses
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


@pytest.mark.parametrize("temperature", [0.3, 1.2])
@pytest.mark.parametrize("change", [-5.0, -0.2, 0.0, 0.4, 1.2, 3.0])
def test_metropolis_accepts_with_the_ratio_of_boltzmanns_weights(change, temperature):
    # As many midpoints as there are: the share that is accepted is the probability, within one.
    count = 10_000
    u = (torch.arange(count) + 0.5) / count
    before = torch.full((count,), -7.0)
    share = accepts(before, before + change, temperature, u).float().mean()
    assert abs(float(share) - min(1.0, math.exp(-change / temperature))) < 2 / count


def test_metropolis_leaves_what_cannot_be_and_never_enters_it():
    energies = torch.tensor([math.inf, 0.0]), torch.tensor([0.0, math.inf])
    for u in (0.0, 0.5, 0.999):
        assert accepts(*energies, 1.2, torch.full((2,), u)).tolist() == [True, False]


class Valley(Energy):
    """A slope along z with a minimum every 1.5 Å, and a bowl across it."""

    def value_and_gradient(self, x):
        z = x[..., 2]
        value = 0.5 * z - 0.5 * torch.cos(2 * math.pi / 1.5 * z) + x[..., :2].square().sum(-1)
        rise = 0.5 + 0.5 * 2 * math.pi / 1.5 * torch.sin(2 * math.pi / 1.5 * z)
        gradient = torch.stack((2 * x[..., 0], 2 * x[..., 1], rise), -1)
        return value.mean(1), gradient / x.shape[1]

    def terms(self, x):
        return {"inter": self(x)}


def ball(count):
    """A molecule of one atom, and poses of it at the origin."""
    atom = Kinematics(torch.zeros(1, 1, 3), torch.zeros(0, 2).long(), torch.zeros(0, 1).bool())
    centre, rotation = torch.zeros(count, 3), torch.eye(3).expand(count, 3, 3)
    return atom, Pose(torch.zeros(count).long(), centre, rotation, torch.zeros(count, 0))


def test_cold_chains_go_down_a_valley_of_many_minima_and_hot_ones_wander():
    """A rule that is reversed would climb; one that accepts all gets no further than by chance."""
    atom, start = ball(64)
    lowest = {}
    for temperature in (0.1, 1e6):
        plan = Schedule(exchange=0, keep=1, temperature=temperature)
        _, energies = search(atom, Valley(), start, rounds=60, rng=rng(3), schedule=plan)
        lowest[temperature] = float(energies.mean())
    # Two minima, 0.75 kcal/mol each: many standard errors of the mean over 64 chains.
    assert lowest[0.1] < lowest[1e6] - 1.5


def test_exchange_leaves_bad_chains_for_good_ones():
    """From starts all the way up a valley, every chain gets to where the lowest are."""
    atom, start = ball(64)
    start = start.replace(centre=torch.linspace(0, 40, 64)[:, None] * torch.tensor([0, 0, 1.0]))
    means = []
    for exchange in (0, 1):
        plan = Schedule(exchange=exchange, keep=1, spread=1.0)
        _, energies = search(atom, Valley(), start, rounds=10, rng=rng(3), schedule=plan)
        means.append(float(energies.mean()))
    # 40 Å are 20 kcal/mol: the mean is 10 of them above the lowest, and comes down by most.
    assert means[1] < means[0] - 6


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
