"""The score of gnina's network: it knows the bound pose, ranks the best poses, and is told."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.citing import cite
from moldiff.docking import bundled
from moldiff.docking.judge.cnn import NETWORK, cnn_evidence
from moldiff.docking.judge.ranking import Ranking, Weighing
from moldiff.docking.library.manifest import DOCKED, Row
from moldiff.docking.library.table import write_table
from moldiff.docking.pipeline import dock
from moldiff.docking.problem import Pocket, Problem, make_problem
from moldiff.docking.result import DockingResult
from moldiff.docking.settings import Settings
from moldiff.errors import MissingExtraError
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
QUICK = Settings(draws=6, starts=20, chains=12, conformers=2, rounds=0, proposals="random")


def needs_cnn() -> None:
    pytest.importorskip("rustina", reason="the extra cnn (rustina) is not installed")


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    box = Box(np.array([10.0, 20.0, 30.0]), np.array([12.0]))
    return Pocket.of(prepare_receptor(read_structure(CAGE)), box)


def problem(smiles: str, pocket: Pocket) -> Problem:
    found = make_problem(Chem.MolFromSmiles(smiles), pocket, conformers=2)
    assert isinstance(found, Problem)
    return found


def test_every_case_has_a_weight_for_it_beside_the_usual_ones() -> None:
    ranking = bundled.ranking()
    usual = [w for w in ranking.weighings if "cnn" not in w.weights]
    assert len(ranking.weighings) == 2 * len(usual) > 0
    for case in usual:
        weights = dict(ranking.weighing([*case.weights, "cnn"]).weights)
        assert weights.pop("cnn") > 0 and weights == case.weights


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moldiff.docking.settings.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'rustina'.*pip install 'moldiff\[cnn\]'"):
        Settings(rescore="cnn")
    assert "rescore" not in Settings().as_dict(), "or all digests would be new ones"


def test_the_bound_pose_has_the_highest_score(dex: Chem.Mol) -> None:
    needs_cnn()
    x = torch.tensor(dex.GetConformer().GetPositions()).float()
    receptor = prepare_receptor(read_structure(EXAMPLE / "receptor.pdb"))
    found = make_problem(dex, receptor, Box(x.mean(0).numpy(), np.full(3, 25.0)), conformers=1)
    assert isinstance(found, Problem)
    turned = x.mean(0) + (x - x.mean(0)) * torch.tensor([-1.0, -1.0, 1.0])  # half a turn
    score = cnn_evidence(found, torch.stack([turned, x, x + 1.5]))
    assert isinstance(score, torch.Tensor) and score.isfinite().all()
    assert float(score[1].sigmoid()) > 0.9
    assert (score[[0, 2]] < 0).all()


def test_it_orders_the_nine_best_poses_and_each_says_its_score(pocket: Pocket) -> None:
    needs_cnn()
    ligand = problem("C[C@H](O)/C=C/[C@@H](N)CC(=O)[O-]", pocket)
    asked = dataclasses.replace(QUICK, rescore="cnn")
    usual = dock(ligand, QUICK)
    assert usual.best.cnn_score is None and "cnn_score" not in usual.tags(usual.best)

    def ranked(weight: float, poses: int = 9) -> DockingResult:
        own = Ranking((Weighing({"energy": -1.0, "cnn": weight}),))
        return dock(ligand, dataclasses.replace(asked, poses=poses), ranking=own)

    ignored = ranked(0.0)
    plain = dock(ligand, QUICK, ranking=Ranking((Weighing({"energy": -1.0}),)))
    assert [pose.energy for pose in ignored.poses] == [pose.energy for pose in plain.poses]
    alone = ranked(1e3)
    scores = [pose.cnn_score or 0.0 for pose in alone.poses if pose.passes]
    assert len(scores) > 1 and scores == sorted(scores, reverse=True)
    assert [pose.energy for pose in alone.poses] != [pose.energy for pose in plain.poses]
    one = ranked(1e3, poses=1)
    assert len(one.poses) == 1 and one.best.energy == alone.best.energy
    told = alone.to_dict()["poses"][0]
    assert told["cnn_score"] == pytest.approx(scores[0], abs=1e-4)
    assert alone.tags(alone.best)["cnn_score"] == f"{scores[0]:.3f}"
    assert alone.tags(alone.best)["rescored_by"] == NETWORK
    assert alone.seconds["rescoring"] > 0


def test_a_ligand_that_the_network_cannot_read_is_ranked_without(pocket: Pocket) -> None:
    needs_cnn()
    result = dock(problem("OB(O)c1ccccc1", pocket), dataclasses.replace(QUICK, rescore="cnn"))
    assert result.best.cnn_score is None
    assert any("CNN was left out of the ranking: " in note for note in result.notes)


def test_the_table_of_a_library_has_the_score_if_there_is_one(tmp_path: Path) -> None:
    rows = [Row(0, "a", DOCKED, energy=-7.0, confidence=0.5), Row(1, "b", DOCKED, energy=-6.0)]
    for name, score in (("without", None), ("with", 0.875)):
        path = tmp_path / f"{name}.csv"
        write_table(path, [dataclasses.replace(rows[0], cnn_score=score), rows[1]])
        first, second = csv.DictReader(path.open(encoding="utf-8"))
        assert first.get("cnn_score") == (None if score is None else "0.875")
        assert not second.get("cnn_score")


def test_it_can_be_cited_with_its_licence() -> None:
    found = cite(["cnn"])
    assert {"mcnutt2025", "francoeur2020"} <= set(found)
    assert "Apache-2.0" in found["mcnutt2025"][0] and "all_default" in found["mcnutt2025"][0]
