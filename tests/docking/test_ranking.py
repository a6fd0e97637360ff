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

from moldiff.docking.judge.dockings import read_dockings
from moldiff.docking.judge.fit import extend_ranking, fit_ranking, top_one
from moldiff.docking.judge.ranking import (
    FEATURES,
    Confidence,
    Ranking,
    Weighing,
    calibration_error,
    features,
    reliability,
)
from moldiff.errors import InputError, ModelFileError

SCRIPT = Path(__file__).parents[2] / "scripts" / "fit_ranking.py"


def table(path: Path, *, complexes: int = 150, distance_score: bool = True) -> Path:
    """Dockings in which both the energy and the distance_score know something, with noise."""
    rng = torch.Generator().manual_seed(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["complex", "rmsd", "energy", "distance_score", "fraction", "atoms", "torsions"]
        )
        for k in range(complexes):
            rmsd = 8 * torch.rand(9, generator=rng)
            noise = torch.randn(2, 9, generator=rng)
            energy = -8 + 0.2 * rmsd + 0.8 * noise[0]
            learned = 60 - 8 * rmsd + 15 * noise[1]
            for r, e, n in zip(rmsd.tolist(), energy.tolist(), learned.tolist(), strict=True):
                writer.writerow([f"c{k}", r, e, n if distance_score else "", 1.0, 25, 5])
    return path


BOTH = Ranking((Weighing({"energy": -1.0, "distance_score": 0.1}), Weighing({"energy": -2.0})))


def test_score_by_hand():
    evidence = {
        "energy": torch.tensor([-8.0, -8.0, 2.0, float("nan")]),
        "distance_score": torch.tensor([20.0, 20.0, 0.0, 0.0]),
    }
    fraction = torch.tensor([1.0, 0.5, 0.5, 1.0])
    score = BOTH.score(evidence, fraction)
    # s = 10: whole, then 10 / 16; s = -2: -2 - 2 (1 - 1/16); what is no number is last
    torch.testing.assert_close(score, torch.tensor([10.0, 0.625, -3.875, -torch.inf]))


def test_what_is_known_decides_the_weights():
    energy, one = torch.tensor([-8.0]), torch.ones(1)
    both = {"energy": energy, "distance_score": 20 * one, "turn": one}
    assert float(BOTH.score(both, one)) == 10.0  # nothing is said of the turn
    assert float(BOTH.score({"energy": energy, "pull": one}, one)) == 16.0
    assert float(Ranking().score(both, one)) == 8.0  # not fitted: the energy


def test_distances_enter_as_logarithms():
    far = {name: torch.tensor([0.0, math.e - 1]) for name in ("pull", "turn", "offset")}
    for name, values in far.items():
        ranking = Ranking((Weighing({"energy": -1.0, name: -2.0}),))
        evidence = {"energy": torch.tensor([-8.0, -8.0]), name: values}
        assert ranking.score(evidence, torch.ones(2)).tolist() == pytest.approx([8.0, 6.0])


def test_each_table_has_figures_of_its_own(tmp_path):
    for name, complexes in (("near", 30), ("off", 40)):
        (tmp_path / name).mkdir()
        table(tmp_path / name / "table.csv", complexes=complexes)
    rewrite(tmp_path / "off" / "table.csv", lambda row: row.update(rmsd=9.0 - float(row["rmsd"])))
    both = [d for name in ("near", "off") for d in read_dockings(tmp_path / name / "table.csv")]
    figures = fit_ranking(both).card["energy"]
    near, off = figures["tables"]["near"], figures["tables"]["off"]
    assert (near["dockings"], off["dockings"], figures["dockings"]) == (30, 40, 70)
    assert near["top1_energy"] != off["top1_energy"]
    mean = (30 * near["top1_unseen"] + 40 * off["top1_unseen"]) / 70
    assert figures["top1_unseen"] == pytest.approx(mean)


@pytest.mark.parametrize("weights", [{}, {"enrgy": 1.0}, {"energy": float("nan")}])
def test_senseless_weights_are_refused(weights):
    with pytest.raises(ValueError, match=r"weight|evidence"):
        Weighing(weights)


@pytest.mark.parametrize("energy", [-5.0, 5.0])
def test_failed_checks_never_help(energy):
    fractions = torch.linspace(0, 1, 14)
    score = Ranking().score({"energy": torch.full((14,), energy)}, fractions)
    assert (score.diff() > 0).all()


def rewrite(path: Path, change) -> list[dict[str, str]]:
    rows = list(csv.DictReader(path.open()))
    for row in rows:
        change(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_a_witness_counts_for_what_it_is_worth(tmp_path):
    path = table(tmp_path / "table.csv", complexes=60)

    def witness(row):  # one is all but perfect, one lies, one is a copy of the energy
        right = float(row["rmsd"]) <= 2
        row |= {"turn": 0.5 if right else 2.0, "pull": 1.0 if right else 0.2}

    rewrite(path, witness)
    ranking = fit_ranking(read_dockings(path))
    every, random, energy = (
        ranking.weighing(names)
        for names in (
            ("energy", "distance_score", "turn", "pull"),
            ("energy", "distance_score"),
            ("energy",),
        )
    )
    assert every.weights["turn"] < -1
    assert every.weights["pull"] == 0  # more of it can not speak for a pose
    assert set(random.weights) == {"energy", "distance_score"} and set(energy.weights) == {"energy"}
    assert len({w.confidence for w in (every, random, energy)}) == 3
    card = ranking.card
    told = [card["+".join(w.weights)]["top1_unseen"] for w in (every, random, energy)]
    assert told[0] >= told[1] + 0.1 and told[1] > told[2]


def test_random_proposals_are_fitted_on_their_own_dockings(tmp_path):
    path = table(tmp_path / "table.csv", complexes=60)

    def change(row):  # half of the dockings are a model's, and there the energy lies
        own = int(row["complex"][1:]) % 2
        row["pull"] = "" if own else 0.5
        if not own:
            row["energy"] = float(row["rmsd"])

    rewrite(path, change)
    ranking = fit_ranking(read_dockings(path))
    assert ranking.card["energy+distance_score"]["dockings"] == 30
    assert ranking.weighing(("energy", "distance_score")).weights["energy"] < -0.1


def test_what_has_no_score_is_last():
    score = torch.tensor([-torch.inf, 8.0, 7.0, float("nan")])
    fraction = torch.tensor([1.0, 0.9, 1.0, 1.0])
    assert Ranking().order(score, fraction).tolist()[:2] == [2, 1]
    assert Ranking(power=0.0).order(score, fraction).tolist()[:2] == [1, 2]
    evidence = {"energy": torch.tensor([-8.0, float("nan")])}
    sure = Ranking((Weighing({"energy": -1.0}, Confidence((1.0, 1.0, 0.0), 0.0)),)).confidence(
        evidence, torch.ones(2), atoms=20, torsions=3
    )
    assert sure[0] > 0.5 and sure[1] == 0


def test_what_fails_a_check_is_behind():
    score, fraction = torch.tensor([9.0, 8.0, 7.0, 6.0]), torch.tensor([0.9, 1.0, 0.9, 1.0])
    assert Ranking().order(score, fraction).tolist() == [1, 3, 0, 2]
    assert Ranking(power=0.0).order(score, fraction).tolist() == [0, 1, 2, 3]


def test_features_by_hand():
    score = torch.tensor([5.0, 7.0, 6.5])
    rows = features(score, atoms=16, torsions=2)
    odds, depth, torsions = (rows[:, FEATURES.index(n)] for n in ("odds", "depth", "torsions"))
    torch.testing.assert_close(odds, score.softmax(0).logit())
    torch.testing.assert_close(depth, score / 4)
    assert torsions.tolist() == [2, 2, 2]
    (alone,) = features(score[:1], atoms=10, torsions=2)
    assert float(alone[FEATURES.index("odds")]) == 20.0, "no rival, and finite"


def test_clusters_far_behind_do_not_count():
    score = torch.linspace(9, 3, 12)
    few, many = features(score[:10], atoms=9, torsions=0), features(score, atoms=9, torsions=0)
    torch.testing.assert_close(few, many[:10])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    dockings = read_dockings(table(tmp_path_factory.mktemp("fit") / "table.csv"))
    return dockings, fit_ranking(dockings)


def told(ranking, *names):
    return ranking.card["+".join(names)]


def test_fit_finds_weights_that_beat_either_alone(fitted):
    dockings, ranking = fitted
    card = told(ranking, "energy", "distance_score")
    learned = Ranking((Weighing({"distance_score": 1.0}),), power=0.0)
    assert card["top1_seen"] > card["top1_energy"] + 0.1
    assert card["top1_seen"] >= top_one(dockings, learned)
    assert card["top1_seen"] == top_one(dockings, ranking) <= card["oracle"]


def test_the_gain_of_more_evidence_is_paired(fitted):
    _, ranking = fitted
    alone, both = told(ranking, "energy"), told(ranking, "energy", "distance_score")
    gain = both["gain"]
    assert gain["over"] == "energy" and "gain" not in alone
    # Every complex is docked once, so that the mean of the differences is that of the means.
    assert gain["top1"] == pytest.approx(both["top1_unseen"] - alone["top1_unseen"])
    assert 0 < gain["low"] < gain["top1"] < gain["high"] < 1


def test_confidence_is_calibrated_and_ranks(fitted):
    dockings, ranking = fitted
    confidence = torch.cat(
        [ranking.confidence(d.evidence, d.fraction, atoms=25, torsions=5) for d in dockings]
    )
    good = torch.cat([d.rmsd <= 2 for d in dockings])
    rows = reliability(confidence, good)
    assert sum(row["count"] for row in rows) == len(good)
    assert all(row["low"] <= row["expected"] <= row["high"] for row in rows)
    assert calibration_error(rows) < 0.06
    error = sum(row["count"] * abs(row["expected"] - row["observed"]) for row in rows) / len(good)
    assert calibration_error(rows) == pytest.approx(error)
    assert confidence[good].mean() > confidence[~good].mean() + 0.3


def test_confidence_is_smooth_and_grows_with_the_score(fitted):
    _, ranking = fitted
    best = torch.linspace(6, 12, 61)
    rivals = torch.tensor([-8.0, -7.0])
    sure = torch.stack(
        [
            ranking.confidence(
                {"energy": torch.cat([-e[None], rivals])}, torch.ones(3), atoms=25, torsions=5
            )[0]
            for e in best
        ]
    )
    rise = sure.diff()
    assert (rise > 0).all() and float(rise.max()) < 0.1


def test_the_card_tells_of_complexes_not_seen(fitted):
    _, ranking = fitted
    card = told(ranking, "energy", "distance_score")
    assert card["log_loss"] < 0.9 * card["log_loss_of_mean"]
    assert card["auc_first"] > 0.6
    assert 0 < card["calibration_error_first"] < 0.1
    assert sum(row["count"] for row in card["reliability"]) == 150 * 9
    assert card["top1_unseen"] <= card["top1_seen"] + 0.02


def test_without_distances_another_confidence_answers(fitted):
    dockings, ranking = fitted
    d = dockings[0]
    alone = {"energy": d.evidence["energy"]}
    without = ranking.confidence(alone, d.fraction, atoms=25, torsions=5)
    within = ranking.confidence(d.evidence, d.fraction, atoms=25, torsions=5)
    assert without is not None and not torch.equal(without, within)
    nothing = Ranking().confidence(alone, d.fraction, atoms=25, torsions=5)
    assert nothing is None


def test_round_trip_and_damage(fitted, tmp_path):
    _, ranking = fitted
    ranking.save(tmp_path / "ranking.json")
    assert Ranking.load(tmp_path / "ranking.json") == ranking
    (tmp_path / "other.json").write_text("{}")
    short = json.loads((tmp_path / "ranking.json").read_text())
    short["weighings"][0]["confidence"]["weights"].pop()
    (tmp_path / "short.json").write_text(json.dumps(short))
    for name in ("other.json", "missing.json", "short.json"):
        with pytest.raises(ModelFileError, match="holds no ranking"):
            Ranking.load(tmp_path / name)


def test_table_without_distances(tmp_path):
    dockings = read_dockings(table(tmp_path / "table.csv", complexes=40, distance_score=False))
    ranking = fit_ranking(dockings)
    assert [set(w.weights) for w in ranking.weighings] == [{"energy"}]
    assert ranking.weighings[0].confidence is not None


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
    groups = tmp_path / "groups.csv"
    groups.write_text("complex,group\n" + "".join(f"c{k},g{k // 2}\n" for k in range(30)))
    words = [str(SCRIPT), str(path), "--out", str(out), "--groups", str(groups)]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "top1_unseen" in capsys.readouterr().out
    ranking = Ranking.load(out)
    assert ranking.weighing(("energy", "distance_score")).confidence is not None
    assert ranking.card["groups"] == 15


@pytest.mark.thorough
def test_one_more_evidence_gets_one_weight_and_leaves_the_others(tmp_path):
    path = table(tmp_path / "table.csv", complexes=60)

    def witness(row):
        row |= {"cnn": 3.0 if float(row["rmsd"]) <= 2 else 0.5 * float(row["energy"]) + 5}

    own = fit_ranking(read_dockings(path))
    with pytest.raises(InputError, match="No docking has the evidence 'cnn'"):
        extend_ranking(own, read_dockings(path), "cnn")
    rewrite(path, witness)
    dockings = read_dockings(path)
    assert fit_ranking(dockings).weighings == own.weighings, "it is fitted apart"
    more = extend_ranking(own, dockings, "cnn")
    for before in own.weighings:
        assert more.weighing(before.weights) == before, "without it all is as it was"
        weights = dict(more.weighing([*before.weights, "cnn"]).weights)
        assert weights.pop("cnn") > 0.5 and weights == before.weights
    figures = more.card["energy+distance_score+cnn"]
    assert figures["top1_unseen"] > figures["top1_without"] + 0.1
    assert extend_ranking(more, dockings, "cnn").weighings == more.weighings
    main = ["fit", str(path), "--add", "cnn", "--out", str(tmp_path / "new.json"), "--to"]
    own.save(tmp_path / "own.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*main, str(tmp_path / "own.json")])
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert Ranking.load(tmp_path / "new.json").weighings == more.weighings


def test_a_lie_gets_no_weight(tmp_path):
    path = table(tmp_path / "table.csv", complexes=40)
    rewrite(path, lambda row: row.update(cnn=float(row["rmsd"])))
    more = extend_ranking(BOTH, read_dockings(path), "cnn")
    assert more.weighing(["energy", "distance_score", "cnn"]).weights["cnn"] == 0


def test_the_card_counts_a_complex_once_whatever_its_seeds(tmp_path):
    path = table(tmp_path / "table.csv", complexes=40)

    def seeded(row):
        number = int(row["complex"].removeprefix("c"))
        row |= {"complex": f"set/c{number // 2}#{number % 2}", "cnn": float(row["rmsd"])}

    rewrite(path, seeded)
    dockings = read_dockings(path)
    assert len(dockings) == 40
    more = extend_ranking(fit_ranking(dockings), dockings, "cnn")
    assert more.card["complexes"] == more.card["cnn_complexes"] == 20
