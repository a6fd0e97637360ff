"""The comparison end to end on a small complex: dockings, kill -9, report."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moldiff.benchmark.docking import peer
from moldiff.benchmark.docking.answer import Job
from moldiff.benchmark.docking.complexes import graph_of, read_crystal, read_set, search_places
from moldiff.benchmark.docking.document import ALL_SETS, document
from moldiff.benchmark.docking.methods import METHODS, Ours, parse
from moldiff.benchmark.docking.readme import into_readme
from moldiff.benchmark.docking.rows import DOCKED, FAILED, Row
from moldiff.benchmark.docking.study import Plan, Study, poses_table
from moldiff.benchmark.docking.worker import Task, work
from moldiff.docking import pipeline, proposals
from moldiff.docking.problem import Pocket
from moldiff.docking.settings import Settings
from moldiff.domain.kinematics import Pose
from moldiff.protein import prepare_receptor, read_structure

ROOT = Path(__file__).parents[3]
START = "import sys; from moldiff.cli import main; sys.exit(main(sys.argv[1:]))"
needs_vina = pytest.mark.skipif(find_spec("vina") is None, reason="vina is not installed")


def task(complexes: Path, method: str, place: int = 0) -> Task:
    run = parse([method], search=1, exhaustiveness=1)[0]
    return Task(read_set(complexes)[place], run, Job(poses=3), "recipe", busted=1)


@pytest.mark.parametrize("method", ["random@1", "unminimised"])
def test_ours_docks(complexes: Path, method: str) -> None:
    row = work(task(complexes, method))
    assert row.status == DOCKED, row.reason
    assert row.atoms == 10 and row.torsions == 1 and row.cofactor is False
    assert row.poses and all(0 <= pose.rmsd < 30 for pose in row.poses)
    assert row.cpu is not None and row.cpu >= row.seconds["conformers"] > 0
    if find_spec("posebusters") is not None:
        assert row.poses[0].valid is not None, row.reason
        assert not any("rmsd" in name for name in row.poses[0].failed)
    assert len(list(csv.DictReader(poses_table([row]).splitlines()))) == len(row.poses)


def test_unminimised_are_the_proposals(complexes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a minimisation has moved is ranked, neither of the proposals nor of others."""
    drawn: list[torch.Tensor] = []
    ranked: list[torch.Tensor] = []
    propose, judge = proposals._Random.propose, pipeline.judged

    def proposed(self: proposals._Random, *given: Any, rng: torch.Generator) -> Pose:
        poses = propose(self, *given, rng=rng)
        drawn.append(self.problem.kinematics.place(poses))
        return poses

    def judged(problems: Any, cavity: int, poses: Pose, *rest: Any) -> Any:
        ranked.append(problems[cavity].kinematics.place(poses))
        return judge(problems, cavity, poses, *rest)

    monkeypatch.setattr(proposals._Random, "propose", proposed)
    monkeypatch.setattr(pipeline, "judged", judged)
    method = METHODS["unminimised"]
    assert isinstance(method, Ours)
    changed = method.changed({"draws": 6, "starts": 50})
    random = dataclasses.replace(changed, overrides={**changed.overrides, "proposals": "random"})
    crystal = read_crystal(read_set(complexes)[0])
    assert not isinstance(crystal, str)
    receptor = prepare_receptor(read_structure(read_set(complexes)[0].receptor))
    box = search_places(crystal, "acid", 0)[0].box
    answer = random.dock(graph_of(crystal), Pocket.of(receptor, box), None, Job(poses=3))
    assert not isinstance(answer, str) and answer.poses
    assert len(drawn[0]) == 6 and 0 < len(ranked[0]) <= 6
    assert all((x == drawn[0]).flatten(1).all(1).any() for x in ranked[0])


class _Asked:
    """Stands for Vina and Rustina: finds no pose, and keeps how it was asked for poses."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.Vina = lambda **_: self

    def dock(self, *_: Any, **given: Any) -> list[Any]:
        self.given |= given
        return []

    def poses(self, **given: Any) -> str:
        self.given |= given
        return ""

    def energies(self, **given: Any) -> list[float]:
        return []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def test_poses_of_all_programs_are_as_far_apart(
    complexes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts as one pose of nine is the same, or shares among several do not compare."""
    usual, asked = Settings(), _Asked()
    monkeypatch.setattr(peer, "load", lambda program: asked)
    for method in ("vina8@8", "rustina@16"):
        assert "found no pose" in work(task(complexes, method)).reason
    told = {name: asked.given[name] for name in ("min_rmsd", "rmsd_threshold", "energy_range")}
    far, wide = usual.separation, usual.window
    assert told == {"min_rmsd": far, "rmsd_threshold": far, "energy_range": wide}
    poses = [
        (energy, np.full((4, 3), shift / 3**0.5))
        for energy, shift in ((-9.0, 0.0), (-8.0, far - 0.1), (-7.0, far + 0.1), (-9.1 + wide, 9.0))
    ]
    kept = peer._distinct(poses, 9)
    assert [energy for energy, _ in kept] == [-9.0, -7.0, -9.1 + wide]
    assert peer._distinct([*poses, (-8.9 + wide, np.full((4, 3), 20.0))], 9) == kept


@needs_vina
def test_vina_docks_in_the_same_box(complexes: Path) -> None:
    ours, theirs = work(task(complexes, "random@1")), work(task(complexes, "vina1@1"))
    assert theirs.status == DOCKED, theirs.reason
    assert ours.box == theirs.box and ours.atoms == theirs.atoms
    assert theirs.seconds["searching"] > 0 and theirs.poses[0].energy < 0
    energies = [pose.energy for pose in theirs.poses]
    assert energies == sorted(energies)


def test_rustina_docks_in_the_same_box(complexes: Path) -> None:
    pytest.importorskip("rustina", reason="the extra cnn (rustina) is not installed")
    ours, theirs = work(task(complexes, "random@1")), work(task(complexes, "rustina@16"))
    assert theirs.status == DOCKED, theirs.reason
    assert ours.box == theirs.box and ours.atoms == theirs.atoms
    assert theirs.seconds["searching"] > 0 and len(theirs.poses) > 1
    chances = [pose.confidence for pose in theirs.poses]
    assert all(chance is not None and 0 < chance < 1 for chance in chances)
    assert min(pose.energy for pose in theirs.poses) < 0
    # In the frame of the receptor, about as far from the ligand as ours are in this hollow.
    mine, peer = (min(pose.rmsd for pose in row.poses) for row in (ours, theirs))
    assert abs(mine - peer) < 3 < math.dist(ours.box, (0, 0, 0)), (mine, peer)


def test_the_box_is_where_the_task_says(complexes: Path) -> None:
    rows = [
        work(dataclasses.replace(task(complexes, "random@1"), box=kind, busted=0))
        for kind in ("centred", "jitter5")
    ]
    assert all(row.status == DOCKED for row in rows)
    assert math.dist(rows[0].box, rows[1].box) == pytest.approx(5, abs=1e-3)


def test_the_score_of_the_cnn_stands_in_the_table_of_poses(complexes: Path) -> None:
    pytest.importorskip("rustina", reason="the extra cnn (rustina) is not installed")
    row = work(task(complexes, "cnn@1"))
    assert row.status == DOCKED, row.reason
    table = list(csv.DictReader(poses_table([row]).splitlines()))
    assert table and all(float(pose["cnn"]) for pose in table)


@pytest.mark.parametrize("place", [1, 2])
def test_what_cannot_be_read_is_a_row(complexes: Path, place: int) -> None:
    row = work(task(complexes, "random@1", place))
    assert row.status == FAILED and "ligand.sdf" in row.reason


def test_the_table_fits_the_ranking(complexes: Path, tmp_path: Path) -> None:
    from moldiff.docking.judge.dockings import read_dockings

    row = work(task(complexes, "random@1"))
    (tmp_path / "poses.csv").write_text(poses_table([row]), encoding="utf-8")
    docking = read_dockings(tmp_path / "poses.csv")[0]
    assert docking.atoms == 10 and docking.torsions == 1
    assert len(docking.rmsd) == len(row.poses)


def test_rows_of_other_settings_do_not_count(complexes: Path, tmp_path: Path) -> None:
    cases = read_set(complexes)[1:]  # they fail, which is quick
    runs = tuple(parse(["random@1"], search=1, exhaustiveness=1))
    with Study.open(cases, Plan(runs), tmp_path) as study:
        study.work()
        assert not study.open_tasks() and study.stale == 0
    with Study.open(cases, Plan(runs, poses=5), tmp_path) as study:
        assert len(study.open_tasks()) == 2 and study.stale == 2 and study.rows() == []
    with Study.open(cases, Plan(runs, box="jitter5"), tmp_path) as study:
        assert len(study.open_tasks()) == 2 and study.stale == 2 and study.rows() == []
        assert "5 Å off" in study.write()[0]["protocol"]


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_kill_and_go_on(complexes: Path, tmp_path: Path) -> None:
    words = ["benchmark", "docking", str(complexes), "--methods", "random@1", "--seeds", "0,1"]
    words += ["--posebusters", "0", "-o", str(tmp_path / "run")]
    command = [sys.executable, "-c", START, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    rows = tmp_path / "run" / "rows.jsonl"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (rows.is_file() and rows.read_bytes().count(b"\n")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = rows.read_bytes()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = before[: before.rfind(b"\n") + 1]
    assert rows.read_bytes().startswith(whole)
    keys = [(r["id"], r["seed"]) for r in map(json.loads, rows.read_text().splitlines())]
    assert len(keys) == len(set(keys)) == 6
    assert "Going on" in done.stderr or whole.count(b"\n") == 6
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    summary = report["sets"]["cage"]["methods"][0]
    assert summary["n"] == 6 and summary["failed"] == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "no folder"),
        (["SET", "--methods", "moldif"], "Did you mean 'moldiff'"),
        (["SET", "--seeds", "a"], "--seeds"),
        (["SET", "SET"], "same name"),
        (["SET", "--ids", "missing"], "--ids"),
        (["SET", "--similarity", "SET/index.csv"], "max_sim"),
        (["SET", "--model", "missing.safetensors"], "model file"),
    ],
)
def test_bad_requests_are_refused(
    complexes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    from moldiff.cli import main

    given = [word.replace("SET", str(complexes)) for word in words]
    output = tmp_path / "run"
    assert main(["benchmark", "docking", *given, "-o", str(output)]) == 2
    assert told in capsys.readouterr().err
    assert not output.exists()


def test_the_readme_gets_the_short_table(tmp_path: Path, made: Callable[..., Row]) -> None:
    readme = tmp_path / "README.md"
    seeds = (0, 1)
    rows = [
        made(f"c{k}", method, *rmsds, seed=seed)
        for method, right, others in (
            ("moldiff@20", 3, ()),
            ("moldiff@80", 4, ()),
            ("vina1@8", 1, (1.5,)),
            ("vina1@32", 2, ()),
        )
        for k in range(4)
        for seed in seeds
        for rmsds in [(1.0 if k < right else 5.0, *others)]
    ]
    other = [dataclasses.replace(row, set="other", cpu=None) for row in rows]
    result = document([*rows, *other], {"set": 4, "other": 4, "empty": 4}, {})
    readme.write_text("above\n<!-- docking:begin -->\nstale\n<!-- docking:end -->\nbelow\n")
    assert into_readme(result, {"moldiff@20", "vina1@8"}, readme)
    text = readme.read_text()
    assert text.startswith("above\n") and text.endswith("below\n") and "stale" not in text
    assert "set: 4 complexes, seeds 0, 1; other: 4 complexes" in text
    assert f"| {ALL_SETS}" not in text and "empty" not in text
    assert f"- {ALL_SETS}, moldiff@20 - vina1@8: +50.0" in text and "; 8 complexes" in text
    assert "moldiff@80" not in text and "vina1@32" not in text  # finished, not asked for
    ours = "| **moldiff@20**: as it is bundled | 8 | 75.0 (30–95) | 75.0 (30–95) | 75.0 | 75.0 |"
    assert f"| set {ours} 1.0 |" in text and f"| other {ours} – |" in text
    assert "|  | vina1@8: AutoDock Vina from one ETKDG conformer | 8 | 25.0 (5–70) |" in text
    assert "- set, moldiff@20 - vina1@8: +50.0" in text
    assert "4 complexes, 4 dockings won, 0 lost; 100 % of its CPU time)" not in text
    assert "; 4 complexes, 4 dockings won, 0 lost; 100 % of its CPU time" in text


def test_a_readme_is_refused_before_the_work_and_kept_without_any(
    complexes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from moldiff.cli import main

    readme = tmp_path / "README.md"
    readme.write_text("no place")
    words = ["benchmark", "docking", str(complexes), "-o", str(tmp_path / "run")]
    words += ["--methods", "moldiff", "--report-only", "--readme", str(readme)]
    assert main(words) == 2
    assert "<!-- docking:begin -->" in capsys.readouterr().err and readme.read_text() == "no place"
    assert not (tmp_path / "run").exists()
    known = "<!-- docking:begin -->\nknown\n<!-- docking:end -->\n"
    readme.write_text(known)
    assert main(words) == 0
    assert "Nothing is finished" in capsys.readouterr().err and readme.read_text() == known


def test_a_report_of_nothing(complexes: Path, tmp_path: Path) -> None:
    from moldiff.cli import main

    words = ["benchmark", "docking", str(complexes), "--methods", "random", "--report-only"]
    assert main([*words, "-o", str(tmp_path / "run")]) == 0
    text = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "CPU-seconds" in text


def test_programs_are_told_the_document(
    complexes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from moldiff.cli import main

    words = ["benchmark", "docking", str(complexes), "--methods", "random@1", "--posebusters", "0"]
    assert main([*words, "--json", "-o", str(tmp_path / "run")]) == 0
    told = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert told.keys() == {*written, "no_curve"} and told["protocol"] == written["protocol"]
    assert told["sets"]["cage"]["methods"][0]["n"] == 3
