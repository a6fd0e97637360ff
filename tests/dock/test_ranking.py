"""The combined score, the confidence, and fitting both to a table of dockings."""

from __future__ import annotations

import csv
import json
import math
import runpy
import sys
from pathlib import Path

import pytest
import torch

from moldiff.dock.proposals import consensus
from moldiff.dock.ranking import FEATURES, Ranking, features, reliability
from moldiff.dock.ranking_fit import fit_ranking, read_dockings, top_one
from moldiff.errors import InputError, ModelFileError

SCRIPT = Path(__file__).parents[2] / "scripts" / "fit_ranking.py"


def table(path: Path, *, complexes: int = 150, likelihood: bool = True) -> Path:
    """Dockings in which both the energy and the likelihood know something, with noise."""
    rng = torch.Generator().manual_seed(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["complex", "rmsd", "energy", "likelihood", "fraction", "atoms", "torsions"]
        )
        for k in range(complexes):
            rmsd = 8 * torch.rand(9, generator=rng)
            noise = torch.randn(2, 9, generator=rng)
            energy = -8 + 0.2 * rmsd + 0.8 * noise[0]
            learned = 60 - 8 * rmsd + 15 * noise[1]
            for r, e, n in zip(rmsd.tolist(), energy.tolist(), learned.tolist(), strict=True):
                writer.writerow([f"c{k}", r, e, n if likelihood else "", 1.0, 25, 5])
    return path


def test_score_by_hand():
    ranking = Ranking(weight=0.1, power=4.0)
    energy = torch.tensor([-8.0, -8.0, 2.0, float("nan")])
    likelihood = torch.tensor([20.0, 20.0, 0.0, 0.0])
    fraction = torch.tensor([1.0, 0.5, 0.5, 1.0])
    score = ranking.score(energy, likelihood, fraction)
    # s = 10: whole, then 10 / 16; s = -2: -2 - 2 (1 - 1/16); what is no number is last
    torch.testing.assert_close(score, torch.tensor([10.0, 0.625, -3.875, -torch.inf]))
    torch.testing.assert_close(ranking.score(energy[:1], None, fraction[:1]), torch.tensor([8.0]))


@pytest.mark.parametrize("energy", [-5.0, 5.0])
def test_failed_checks_never_help(energy):
    fractions = torch.linspace(0, 1, 14)
    score = Ranking().score(torch.full((14,), energy), None, fractions)
    assert (score.diff() > 0).all()


def test_consensus_by_hand():
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    x[1] += 30.0  # out of reach of every draw
    shift = torch.tensor([0.0, 2.0, 20.0, 0.0])
    drawn = x[0] + torch.stack([shift, torch.zeros(4), torch.zeros(4)], 1)[:, None]
    near = (1 + math.exp(-0.5) + 0 + 1) / 4  # RMSD 0, 2, 20, 0 Å
    expected = torch.tensor([math.log1p(near / 0.05), 0.0])
    torch.testing.assert_close(consensus(x, drawn), expected, atol=1e-4, rtol=1e-4)


def test_consensus_is_weighed_by_what_it_is_worth(tmp_path):
    path = table(tmp_path / "table.csv", complexes=60)
    rows = list(csv.DictReader(path.open()))
    for row in rows:  # a perfect witness
        row["consensus"] = 2.0 if float(row["rmsd"]) <= 2 else 0.1
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    ranking = fit_ranking(read_dockings(path))
    assert ranking.agreement == 2.4  # the most there is
    card = ranking.card
    assert card["top1_combined"] >= card["top1_without_consensus"] + 0.1
    ranking.save(tmp_path / "ranking.json")
    assert Ranking.load(tmp_path / "ranking.json") == ranking


def test_what_fails_a_check_is_behind():
    score, fraction = torch.tensor([9.0, 8.0, 7.0, 6.0]), torch.tensor([0.9, 1.0, 0.9, 1.0])
    assert Ranking().order(score, fraction).tolist() == [1, 3, 0, 2]
    assert Ranking(power=0.0).order(score, fraction).tolist() == [0, 1, 2, 3]


def test_features_by_hand():
    score = torch.tensor([5.0, 7.0, 6.5])
    rows = features(score, atoms=16, torsions=2)
    share, depth, torsions = (rows[:, FEATURES.index(n)] for n in ("share", "depth", "torsions"))
    torch.testing.assert_close(share.exp().sum(), torch.tensor(1.0))
    torch.testing.assert_close(share[1] - share[0], torch.tensor(2.0))
    torch.testing.assert_close(depth, score / 4)
    assert torsions.tolist() == [2, 2, 2]
    assert float(features(score[:1], atoms=10, torsions=2)[0, FEATURES.index("share")]) == 0.0


def test_clusters_far_behind_do_not_count():
    score = torch.linspace(9, 3, 12)
    few, many = features(score[:10], atoms=9, torsions=0), features(score, atoms=9, torsions=0)
    torch.testing.assert_close(few, many[:10])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    dockings = read_dockings(table(tmp_path_factory.mktemp("fit") / "table.csv"))
    return dockings, fit_ranking(dockings)


def test_fit_finds_a_weight_that_beats_either_alone(fitted):
    dockings, ranking = fitted
    assert ranking.card["top1_combined"] > ranking.card["top1_energy"] + 0.1
    assert ranking.card["top1_combined"] >= ranking.card["top1_likelihood"]
    assert top_one(dockings, ranking) == ranking.card["top1_combined"]
    assert ranking.card["top1_combined"] <= ranking.card["oracle"]


def test_confidence_is_calibrated_and_ranks(fitted):
    dockings, ranking = fitted
    confidence = torch.cat(
        [
            ranking.confidence(d.energy, d.likelihood, d.fraction, atoms=25, torsions=5)
            for d in dockings
        ]
    )
    good = torch.cat([d.rmsd <= 2 for d in dockings])
    rows = reliability(confidence, good)
    assert sum(row["count"] for row in rows) == len(good)
    assert all(row["low"] <= row["expected"] <= row["high"] for row in rows)
    apart = sum(row["count"] * abs(row["expected"] - row["observed"]) for row in rows) / len(good)
    assert apart < 0.06
    assert confidence[good].mean() > confidence[~good].mean() + 0.3


def test_confidence_is_smooth_and_grows_with_the_score(fitted):
    _, ranking = fitted
    best = torch.linspace(6, 12, 61)
    rivals = torch.tensor([-8.0, -7.0])
    sure = torch.stack(
        [
            ranking.confidence(
                torch.cat([-e[None], rivals]), None, torch.ones(3), atoms=25, torsions=5
            )[0]
            for e in best
        ]
    )
    rise = sure.diff()
    assert (rise > 0).all() and float(rise.max()) < 0.1


def test_the_card_tells_of_complexes_not_seen(fitted):
    _, ranking = fitted
    card = ranking.card
    assert card["log_loss"] < 0.9 * card["log_loss_of_mean"]
    assert card["auc_first"] > 0.6
    assert sum(row["count"] for row in card["reliability"]) == 150 * 9
    assert card["top1_unseen"] <= card["top1_combined"] + 0.02


def test_without_likelihood_another_confidence_answers(fitted):
    dockings, ranking = fitted
    d = dockings[0]
    without = ranking.confidence(d.energy, None, d.fraction, atoms=25, torsions=5)
    within = ranking.confidence(d.energy, d.likelihood, d.fraction, atoms=25, torsions=5)
    assert without is not None and not torch.equal(without, within)
    nothing = Ranking().confidence(d.energy, None, d.fraction, atoms=25, torsions=5)
    assert nothing is None


def test_round_trip_and_damage(fitted, tmp_path):
    _, ranking = fitted
    ranking.save(tmp_path / "ranking.json")
    assert Ranking.load(tmp_path / "ranking.json") == ranking
    (tmp_path / "other.json").write_text("{}")
    short = json.loads((tmp_path / "ranking.json").read_text())
    short["with_likelihood"]["weights"].pop()
    (tmp_path / "short.json").write_text(json.dumps(short))
    for name in ("other.json", "missing.json", "short.json"):
        with pytest.raises(ModelFileError, match="holds no ranking"):
            Ranking.load(tmp_path / name)


def test_table_without_likelihood(tmp_path):
    dockings = read_dockings(table(tmp_path / "table.csv", complexes=40, likelihood=False))
    ranking = fit_ranking(dockings)
    assert ranking.weight == 0.0 and ranking.with_likelihood is None
    assert ranking.without_likelihood is not None


@pytest.mark.parametrize(
    "text",
    ["", "complex,rmsd\na,1\n", "complex,rmsd,energy,fraction,atoms,torsions\na,x,1,1,1,1\n"],
)
def test_bad_tables_are_told(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError):
        read_dockings(tmp_path / "table.csv")


def test_the_script_writes_what_loads(tmp_path, monkeypatch, capsys):
    path = table(tmp_path / "table.csv", complexes=30)
    out = tmp_path / "ranking.json"
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(path), "--out", str(out)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "top1_combined" in capsys.readouterr().out
    assert Ranking.load(out).with_likelihood is not None
