"""Screening finds where in a box the ligand may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.docking.problem import Problem, make_problem
from moldiff.docking.screening import Screening, screen
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
    centres = screen(problem, problem.grid_energy(), 500, rng=rng).centres()
    np.testing.assert_allclose(centres[0], problem.box.centre)
    truth = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf")).GetConformer().GetPositions().mean(0)
    off = (centres - torch.from_numpy(truth)).norm(dim=1)
    assert off[0] > 5.9
    assert off[1] < 2.5, "the densest place of all"
    apart = torch.cdist(centres[1:], centres[1:])[*np.triu_indices(len(centres) - 1, 1)]
    assert len(centres) == 5 and (apart > 3.0).all()


def test_where_nothing_was_screened_the_box_is_all(problem: Problem) -> None:
    rng = torch.Generator().manual_seed(0)
    empty = screen(problem, problem.grid_energy(), 0, rng=rng)
    np.testing.assert_allclose(empty.centres(), problem.box.centre[None])
    some = screen(problem, problem.grid_energy(), 3, rng=rng)
    hopeless = Screening(problem, some.poses, torch.full((3,), torch.nan))
    np.testing.assert_allclose(hopeless.centres(), problem.box.centre[None])


def test_starts_are_topped_up_with_the_best_distinct_poses(problem: Problem) -> None:
    rng = torch.Generator().manual_seed(0)
    screening = screen(problem, problem.grid_energy(), 50, rng=rng)
    first = screening.energies.argsort()[:1]
    poses, energies = screening.topped_up(screening.poses[:2], screening.energies[:2], 6)
    assert len(poses) == len(energies) == 6
    assert energies[2] == screening.energies[first]
    assert (energies[2:].diff() >= 0).all()
    alone, _ = screening.topped_up(screening.poses[:6], screening.energies[:6], 6)
    assert len(alone) == 6
