"""The rank network as evidence of docking, here with weights drawn at random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

import moldiff
from moldiff.docking import bundled
from moldiff.docking.judge.rightness import rightness
from moldiff.docking.problem import Problem, make_problem
from moldiff.errors import ModelFileError
from moldiff.model import Model
from moldiff.nn.rank import RankNetwork
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor
from tests.docking.test_bundled import EXAMPLE

NETWORK = {"name": "rank", "width": 32, "channels": 8, "layers": 2, "neighbours": 8}


@pytest.fixture(scope="module")
def model() -> Model:
    """A ranker whose heads say something."""
    made = Model.from_config({"domain": {"name": "ranks"}, "network": NETWORK}, seed=4)
    network = made.network
    assert isinstance(network, RankNetwork)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.pose_head.weight, std=20.0)
    return made


def _problem(shift: float) -> tuple[Problem, torch.Tensor]:
    mol = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    bound = torch.tensor(mol.GetConformer().GetPositions()).float()
    receptor = prepare_receptor(read_structure(next(EXAMPLE.glob("*.pdb"))))
    centre = bound.mean(0).numpy() + shift
    problem = make_problem(mol, receptor, Box(centre, np.full(3, 25.0)), conformers=1)
    assert not isinstance(problem, str)
    return problem, bound


def test_neither_the_box_nor_other_poses_have_a_part_in_it(model: Model) -> None:
    (here, bound), (there, _) = _problem(0.0), _problem(3.0)
    x = bound + torch.linspace(0, 6, 70)[:, None, None]
    judged = rightness(model, here)(x)
    assert judged.shape == (70,) and judged.std() > 0.03
    assert torch.allclose(rightness(model, there)(x), judged, atol=5e-3)
    assert torch.allclose(rightness(model, here)(x[-3:]), judged[-3:], atol=1e-3)


def test_a_ranker_of_ones_own_is_used_and_another_kind_of_model_is_refused(
    model: Model, tmp_path: Path
) -> None:
    file = tmp_path / "ranker.safetensors"
    model.save(file)
    ligand = EXAMPLE / "ligand.sdf"
    docked = moldiff.dock(
        next(EXAMPLE.glob("*.pdb")), ligand, pocket_ligand=ligand, rounds=0, ranker=str(file)
    )
    assert all(np.isfinite(pose.terms["rightness"]) for pose in docked.poses)
    assert json.dumps(docked.poses[0].terms["rightness"])
    with pytest.raises(ModelFileError, match="distances"):
        bundled.ranker(str(bundled.bundled("distances")))
