"""Figures from rows: shares, paired differences, splits, tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moldiff.benchmark.docking import report, statistics
from moldiff.benchmark.docking.confidence import draw
from moldiff.benchmark.docking.curve import draw_curves, drawable
from moldiff.benchmark.docking.document import ALL_SETS, document
from moldiff.benchmark.docking.rows import Row


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_failures_count_as_failures(made: Callable[..., Row]) -> None:
    rows = [made("a", "m", 1.0, 5.0), made("b", "m", 3.0, 1.5), made("c", "m"), made("d", "m", 9.0)]
    found = statistics.summary(rows)
    assert (found.n, found.failed) == (4, 1)
    shares = {name: share.value for name, share in found.shares.items()}
    assert shares["top1"] == 0.25 and shares["oracle"] == 0.5
    assert shares["joint"] == 0.25 and shares["valid"] == 0.75
    assert found.poses_valid == 1.0


def test_two_angstrom_is_a_success_and_invalid_poses_are_none(made: Callable[..., Row]) -> None:
    assert statistics.VALUES["top1"](made("a", "m", 2.0))
    assert not statistics.VALUES["top1"](made("a", "m", 2.001))
    assert not statistics.VALUES["joint"](made("a", "m", 0.5, valid=False))
    sixth = made("a", "m", 3, 3, 3, 3, 3, 1)
    assert not statistics.VALUES["top5"](sixth) and statistics.VALUES["oracle"](sixth)


def test_the_interval_of_a_mean() -> None:
    values = np.array([0.0, 1.0] * 200)
    low, high = statistics.bootstrap(values, rng=rng())
    # The standard error of the mean is 0.5 / sqrt(400) = 0.025.
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)
    assert statistics.bootstrap(np.ones(5), rng=rng()) == (1.0, 1.0)


def test_differences_are_paired(made: Callable[..., Row]) -> None:
    """Only what both have finished counts, and seeds of a complex are averaged first."""
    mine = [made("a", "m", 1.0), made("b", "m", 1.0), made("only-mine", "m", 1.0)]
    theirs = [made("a", "v", 9.0, cpu=4.0), made("b", "v", 1.0, cpu=4.0)]
    found = statistics.paired(mine, theirs, "top1", rng=rng())
    assert found is not None
    assert (found.n, found.mean, found.wins, found.losses) == (2, 0.5, 1, 0)
    assert found.cpu_ratio == 0.25
    seeds = [made("a", "m", 1.0, seed=k) for k in range(9)]
    others = [made("a", "v", 9.0, seed=k) for k in range(9)]
    nine = statistics.paired(
        [*seeds, made("b", "m", 9.0)], [*others, made("b", "v", 1.0)], "top1", rng=rng()
    )
    assert nine is not None and nine.n == 2 and nine.mean == 0.0
    assert (nine.low, nine.high) == (-1.0, 1.0)
    assert statistics.paired(mine[2:], theirs, "top1", rng=rng()) is None


def test_splits_keep_the_failures(made: Callable[..., Row]) -> None:
    """A row that failed before its ligand was read stays in its complex's group."""
    rows = [
        made("a", "m", 1.0, torsions=3, cofactor=True),
        made("a", "v", torsions=None, cofactor=None),
        made("b", "m", 1.0, torsions=7),
        made("c", "m", 1.0, torsions=8),
        made("d", "m", torsions=None, cofactor=None),
    ]
    by = statistics.split(rows, "torsions", {})
    assert {group: sorted(methods) for group, methods in by.items()} == {
        "0-3": ["m", "v"],
        "4-7": ["m"],
        "8 and more": ["m"],
    }
    assert len(statistics.split(rows, "cofactor or metal", {})["present"]["v"]) == 1
    alike = statistics.split(rows, "similarity to training", {"set/a": 0.5, "set/b": 0.49})
    assert {g: len(m["m"]) for g, m in alike.items()} == {"0.5 and more": 1, "below 0.5": 1}


def test_confidences_are_held_against_what_is_seen(
    tmp_path: Path, made: Callable[..., Row]
) -> None:
    def told(name: str, rmsd: float, confidence: float | None) -> Row:
        row = made(name, "moldiff@20", rmsd, 9.0)
        first, *others = row.poses
        first = dataclasses.replace(first, confidence=confidence)
        return dataclasses.replace(row, poses=(first, *others))

    rows = [told("a", 1.0, 0.9), told("b", 9.0, 0.9), told("c", 9.0, 0.22), told("d", 1.0, None)]
    rows += [told("e", 1.0, 0.9), made("failed", "moldiff@20")]
    table = report.tables(document(rows, {"set": 6}, {}))[-1]
    assert table.title == "set: confidence of first poses"
    low, high, error = table.rows
    assert low[1:5] == ("0.2 to 0.4", "1", "22.0", "0.0 (0.0 to 79.3)")
    assert high[1:4] == ("0.8 to 1.0", "3", "90.0") and high[4].startswith("66.7 (20.8 to 93.9")
    # (0.22 + 3 x (0.9 - 2/3)) / 4
    assert error[1] == "calibration error" and error[-1] == "23.0"
    drawn = tmp_path / "confidence.svg"
    found = document(rows, {"set": 6}, {})["sets"]["set"]["confidence"]
    if draw({"set": found, "other": {}}, drawn):
        assert "moldiff@20, 23.0 off" in drawn.read_text(encoding="utf-8")
    assert not draw({"other": {}}, tmp_path / "none.svg")
    without = report.tables(document([told("d", 1.0, None)], {"set": 1}, {}))
    assert not any("confidence" in table.title for table in without)


def test_the_report_says_what_is_not_finished(tmp_path: Path, made: Callable[..., Row]) -> None:
    rows = [made(i, f"moldiff@{e}", 1.0, cpu=e + 1.0) for i in "ab" for e in (2, 8)]
    rows += [made(i, f"vina1@{e}", 5.0, cpu=9.0 * e) for i in "ab" for e in (1, 8)]
    rows += [made("c", "vina1@8", 1.0)]
    result = document(rows, {"set": 10}, {})
    part = result["sets"]["set"]
    assert [row["method"] for row in part["methods"]] == [
        "moldiff@2",
        "moldiff@8",
        "vina1@1",
        "vina1@8",
    ]
    assert [row["n"] for row in part["methods"]] == [2, 2, 2, 3]
    gap = next(r for r in part["paired"] if r["baseline"] == "vina1@8" and r["value"] == "joint")
    assert gap["n"] == 2 and gap["mean"] == 1.0
    # The curve compares the same dockings everywhere.
    assert {point["n"] for point in result["curves"]["set"]} == {2}
    text = report.markdown(result)
    assert "3 of 10 complexes" in text and "different numbers" in text
    if drawable(result["curves"]) == "":
        draw_curves(result["curves"], tmp_path / "curve.svg")
        assert "<svg" in (tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert "two efforts" in drawable({"set": result["curves"]["set"][:1]})


def test_ours_is_compared_with_what_it_was_before(made: Callable[..., Row]) -> None:
    now = [made(i, "moldiff@20", 1.0) for i in "abc"]
    was = [made("a", "moldiff@20", 9.0), made("b", "moldiff@20", 1.0), made("x", "vina1@8", 1.0)]
    gap, energy = (
        row
        for row in document(now, {"set": 3}, {}, before=was)["sets"]["set"]["paired"]
        if row["value"] == "top1"
    )
    assert (gap["method"], gap["baseline"]) == ("moldiff@20", "moldiff@20 before")
    assert (gap["n"], gap["mean"], gap["wins"]) == (2, 0.5, 1)
    assert energy["baseline"] == "its poses by energy" and energy["mean"] == 0.0
    (alone,) = document(now, {"set": 3}, {})["sets"]["set"]["paired"]
    assert alone == energy


def test_the_first_pose_is_compared_with_the_lowest_energy(made: Callable[..., Row]) -> None:
    rows = [made("a", "moldiff@20", 1.0, 9.0), made("b", "moldiff@20", 9.0, 9.0)]
    by_energy = made("a", "energy@20", 1.0)
    first, second = rows[0].poses
    rows[0] = dataclasses.replace(
        rows[0], poses=(first, dataclasses.replace(second, energy=first.energy - 1.0))
    )
    (gap,) = document([*rows, by_energy], {"set": 2}, {})["sets"]["set"]["paired"]
    assert gap["method"] == "moldiff@20" and gap["value"] == "top1"
    assert (gap["n"], gap["mean"], gap["wins"], gap["losses"]) == (2, 0.5, 1, 0)


def test_seeds_of_a_complex_narrow_no_interval(made: Callable[..., Row]) -> None:
    once = [made("a", "moldiff@20", 1.0), made("b", "moldiff@20", 9.0)]
    often = [
        made(row.id, "moldiff@20", row.poses[0].rmsd, seed=k) for row in once for k in range(3)
    ]
    assert statistics.share(often, "top1") == statistics.share(once, "top1")
    low, high = statistics.share(once, "top1").low, statistics.share(once, "top1").high
    assert low == pytest.approx(0.0945, abs=1e-4) and high == pytest.approx(0.9055, abs=1e-4)
    lines = report.tables(document(often, {"set": 2}, {}))[0].rows
    assert lines[0][3] == "50.0 (9–91)"


def test_curves_of_several_sets_are_also_drawn_for_all(made: Callable[..., Row]) -> None:
    one = [made(i, f"moldiff@{e}", x, cpu=1.0) for i, x in (("a", 1.0), ("b", 5.0)) for e in (0, 5)]
    rows = one + [dataclasses.replace(row, set="other") for row in one if row.id == "a"]
    curves = document(rows, {"set": 2, "other": 1, "none": 1}, {})["curves"]
    assert [(name, [p["n"] for p in points]) for name, points in curves.items()] == [
        ("set", [2, 2]),
        ("other", [1, 1]),
        ("none", []),
        (ALL_SETS, [3, 3]),
    ]
    assert curves[ALL_SETS][0]["joint"] == pytest.approx(2 / 3)
