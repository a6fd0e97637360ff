"""The models that come with the package are there and say what they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

import moldiff
from moldiff.docking import bundled
from moldiff.docking.judge.evidence import Judges, evidence
from moldiff.docking.judge.ranking import EVIDENCE
from moldiff.docking.problem import make_problem
from moldiff.docking.proposals import DiffusionProposer, RandomProposer
from moldiff.docking.settings import Settings
from moldiff.errors import InputError, ModelFileError
from moldiff.model import Model
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"


def test_poses_are_proposed_by_diffusion_unless_asked_otherwise() -> None:
    proposer, name = bundled.proposer(Settings())
    assert isinstance(proposer, DiffusionProposer)
    assert name == f"diffusion {proposer.model.digest}"
    assert "Astex" in proposer.model.card["data"]
    assert isinstance(bundled.proposer(Settings(proposals="random"))[0], RandomProposer)


def test_the_ranking_reads_what_judges_say_and_gives_a_probability() -> None:
    judges = bundled.judges()
    assert judges.distances is not None and judges.ranks is not None
    ranking = bundled.ranking()
    energy = torch.tensor([-9.0, -7.0, -4.0])
    places = torch.tensor([0.0, 1.0, 2.0])
    known = {"energy": energy, "hydrophobic": energy / 5}
    cases = [
        known,
        known | {"distance_score": -20 * energy},
        known | {"distance_score": -20 * energy, "rightness": -energy - 5},
        known
        | {"distance_score": -20 * energy, "rightness": -energy - 5}
        | dict.fromkeys(("pull", "turn", "offset"), 1 + places),
    ]
    for case in cases:
        assert set(ranking.weighing(case).weights) == set(case)
        sure = ranking.confidence(case, torch.ones(3), atoms=25, torsions=5)
        assert sure is not None
        assert ((sure > 0) & (sure < 1)).all()
        assert sure[0] > sure[1] > sure[2]


def test_the_network_leaves_the_bound_pose_where_it_is() -> None:
    mol = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    bound = torch.tensor(mol.GetConformer().GetPositions()).float()
    receptor = prepare_receptor(read_structure(next(EXAMPLE.glob("*.pdb"))))
    centre = bound.mean(0).numpy() + 0.5
    problem = make_problem(mol, receptor, Box(centre, np.full(3, 25.0)), conformers=1)
    assert not isinstance(problem, str)
    middle = bound.mean(0)
    mirrored = middle + (bound - middle) * torch.tensor([-1.0, -1.0, 1.0])  # half a turn
    x = torch.stack([bound, bound + 2.0, mirrored])
    proposer, _ = bundled.proposer(Settings())
    proposals = proposer.prepare(problem)
    moves = proposals.moves(x)
    assert moves is not None
    pull, turn = moves
    assert float(pull[1]) > float(pull[0]) + 1  # 3.5 Å away
    assert float(turn[2]) > float(turn[0]) + 0.5
    terms = problem.exact_energy().terms(x)
    known = evidence(problem, x, terms, proposals, bundled.judges(Settings()))
    absent = {"cnn", "cavity"}  # of another package; only where several are searched
    assert set(known) == set(EVIDENCE) - absent
    assert all(values.shape == (3,) for values in known.values())
    half = 0.5 * 3**0.5  # from the box's centre to the bound pose's
    assert known["offset"].tolist() == pytest.approx([half, 3 * half, half], abs=1e-4)
    lower = bundled.proposer(Settings(precision="bfloat16"))[0].prepare(problem)
    approximate = lower.moves(x)
    assert approximate is not None and approximate[0].dtype is torch.float32
    for other in (proposals, dataclasses.replace(lower, proposer=proposer)):  # type: ignore[type-var]
        assert not torch.equal(approximate[0], other.moves(x)[0])  # type: ignore[index]
    torch.testing.assert_close(approximate, moves, atol=0.2, rtol=0.1)
    centres = torch.stack([middle, middle + 9.0])
    drawn = problem.kinematics.place(
        proposals.propose(9, centres, rng=torch.Generator().manual_seed(0))
    )
    assert drawn.isfinite().all()
    nearest = torch.cdist(drawn.mean(1), centres).argmin(1)
    assert nearest.tolist() == 5 * [0] + 4 * [1], "half of the poses about the first centre"
    alone = evidence(problem, x, terms, RandomProposer().prepare(problem), Judges())
    assert set(alone) == {"energy", "hydrophobic", "offset"}


def test_the_box_has_no_part_in_the_networks_judgement() -> None:
    mol = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    bound = torch.tensor(mol.GetConformer().GetPositions()).float()
    receptor = prepare_receptor(read_structure(next(EXAMPLE.glob("*.pdb"))))
    proposer, _ = bundled.proposer(Settings())
    judged = []
    for offset in (0.0, 4.0):
        box = Box(bound.mean(0).numpy() + offset, np.full(3, 40.0))
        problem = make_problem(mol, receptor, box, conformers=1)
        assert not isinstance(problem, str)
        x = torch.stack([bound, bound + 2.0, bound + 2.1, bound - 3.0])
        judged.append(proposer.prepare(problem).moves(x))
    torch.testing.assert_close(judged[0], judged[1], atol=1e-4, rtol=1e-4)


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no model file"):
        bundled.proposer(Settings(model="nowhere.safetensors"))


def test_a_judge_of_ones_own_is_used_and_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    path = bundled.bundled("distances")
    assert path is not None
    other = Model.load(path)
    with torch.no_grad():
        other.network.pair.weight.zero_()  # type: ignore[union-attr,operator]
        other.network.pair.bias.zero_()  # type: ignore[union-attr,operator]
    other.save(tmp_path / "judge.safetensors")
    where = {"receptor": next(EXAMPLE.glob("*.pdb")), "ligand": "CCO"}
    where |= {"pocket_ligand": EXAMPLE / "ligand.sdf", "draws": 2, "starts": 5, "chains": 3}
    own, usual = (
        moldiff.dock(**where, rounds=0, judge=judge).poses[0].terms["distance_score"]
        for judge in (str(tmp_path / "judge.safetensors"), None)
    )
    assert own != usual
    with pytest.raises(ModelFileError, match="holds a model of poses, not a model of distances"):
        bundled.judge(str(bundled.bundled("proposals")))
    with pytest.raises(InputError, match="no model file"):
        bundled.judge("nowhere.safetensors")
    assert "judge" not in Settings().as_dict() and "judge" in Settings(judge="x").as_dict()


@pytest.mark.parametrize("purpose", ["proposals", "distances"])
def test_weights_that_are_not_numbers_are_refused(purpose: str, tmp_path: Path) -> None:
    path = bundled.bundled(purpose)
    assert path is not None
    model = Model.load(path)
    next(iter(model.network.parameters())).data.view(-1)[0] = float("nan")
    model.save(tmp_path / "nan.safetensors")
    with pytest.raises(ModelFileError, match="finite"):
        Model.load(tmp_path / "nan.safetensors")
