"""A survey finds where in a box the ligand may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.docking.problem import Problem, make_problem
from moldiff.docking.survey import Survey, survey
from moldiff.domain.kinematics import random_poses
from moldiff.geometry.tensors import rmsd
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"


@pytest.fixture(scope="module")
def problem() -> Problem:
    """The example, in a box whose centre is 6 Å off the ligand's."""
    mol = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    receptor = prepare_receptor(read_structure(next(EXAMPLE.glob("*.pdb"))))
    centre = mol.GetConformer().GetPositions().mean(0) + np.array([0.0, 6.0, 0.0])
    made = make_problem(mol, receptor, Box(centre, np.full(3, 25.0)), conformers=2)
    assert not isinstance(made, str)
    return made


def test_a_centre_is_near_the_ligand_though_the_box_is_not(problem: Problem) -> None:
    rng = torch.Generator().manual_seed(0)
    centres = survey(problem, problem.grid_energy(), 500, rng=rng).centres()
    np.testing.assert_allclose(centres[0], problem.box.centre)
    truth = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf")).GetConformer().GetPositions().mean(0)
    off = (centres - torch.from_numpy(truth)).norm(dim=1)
    assert off[0] > 5.9
    assert off[1] < 2.5, "the densest place of all"
    apart = torch.cdist(centres[1:], centres[1:])[*np.triu_indices(len(centres) - 1, 1)]
    assert len(centres) == 5 and (apart > 3.0).all()


def test_the_lower_of_two_places_comes_first_though_fewer_poses_are_there(problem: Problem) -> None:
    poses = random_poses(problem.kinematics, problem.box, 40, rng=torch.Generator().manual_seed(0))
    middle = torch.from_numpy(np.array(problem.box.centre))
    high = torch.arange(40) < 25
    x = problem.kinematics.place(poses).mean(1)
    shift = torch.where(high[:, None], torch.tensor([6.0, 0.0, 0.0]), torch.tensor([-6.0, 0, 0]))
    poses = poses.replace(centre=poses.centre + middle + shift - x)
    energies = torch.where(high, -5.0, -7.0)
    centres = Survey(problem, poses, energies).centres()
    expected = middle + torch.tensor([[0.0, 0, 0], [-6.0, 0, 0], [6.0, 0, 0]])
    torch.testing.assert_close(centres, expected, atol=1e-3, rtol=0)


def test_many_poses_take_no_more_memory_than_a_thousand(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = torch.Generator().manual_seed(0)
    poses = random_poses(problem.kinematics, problem.box, 3000, rng=rng)
    sizes = []
    cdist = torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda a, b: sizes.append(len(a)) or cdist(a, b))
    Survey(problem, poses, torch.arange(3000.0)).centres()
    assert sizes == [1000]


def test_where_nothing_was_surveyed_the_box_is_all(problem: Problem) -> None:
    rng = torch.Generator().manual_seed(0)
    empty = survey(problem, problem.grid_energy(), 0, rng=rng)
    np.testing.assert_allclose(empty.centres(), problem.box.centre[None])
    some = survey(problem, problem.grid_energy(), 3, rng=rng)
    hopeless = Survey(problem, some.poses, torch.full((3,), torch.nan))
    np.testing.assert_allclose(hopeless.centres(), problem.box.centre[None])


def test_starts_are_topped_up_with_the_best_distinct_poses(problem: Problem) -> None:
    rng = torch.Generator().manual_seed(0)
    surveyed = survey(problem, problem.grid_energy(), 50, rng=rng)
    first = surveyed.energies.argsort()[:1]
    poses, energies = surveyed.topped_up(surveyed.poses[:2], surveyed.energies[:2], 6)
    assert len(poses) == len(energies) == 6
    assert energies[2] == surveyed.energies[first]
    assert (energies[2:].diff() >= 0).all()
    x = problem.kinematics.place(poses[torch.arange(2, 6)])
    apart = torch.stack([rmsd(x, one) for one in x]) + 9 * torch.eye(4)
    assert (apart >= 2.0).all()
    alone, _ = surveyed.topped_up(surveyed.poses[:6], surveyed.energies[:6], 6)
    assert len(alone) == 6
