"""Watching a run: the time left, and a page that tells the state of the run and costs little."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moldiff.catalogue import register
from moldiff.cli import log
from moldiff.cli.watch import Page, TimeLeft
from moldiff.report.training import Run, State
from moldiff.train.loggers import Logger
from moldiff.train.records import lock_directory
from moldiff.train.workloads.molecules import Molecules

Command = Callable[..., Any]


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def state(run: Path) -> str:
    (found,) = re.findall(r'<body data-state="(\w+)"', (run / "training.html").read_text())
    return found


def test_the_time_left_is_that_of_steps_and_evaluations() -> None:
    clock = Clock()
    left = TimeLeft(1000, 100, clock=clock)
    assert str(left) == ""
    clock.now = 50.0  # the first step of a session prepares
    left.add(401)
    assert left.seconds() is None and str(left) == ""
    for step in range(402, 501):
        clock.now += 2.0
        left.add(step)
    assert left.seconds() == pytest.approx(1000) and str(left) == "17 min + 5 evaluations left"
    with left.judging():
        clock.now += 60.0
    clock.now += 2.0
    left.add(501)
    assert left.seconds() == pytest.approx(499 * 2 + 5 * 60) and str(left) == "22 min left"
    left.add(1000)
    assert str(left) == ""


def test_without_evaluations_there_are_none_to_come() -> None:
    clock = Clock()
    left = TimeLeft(100_000, 0, clock=clock)
    for step in (1, 2, 3):
        left.add(step)
        clock.now += 1.5
    assert str(left) == "41 h 40 min left"


def test_an_interrupted_evaluation_is_not_timed() -> None:
    left = TimeLeft(10, 5)
    with pytest.raises(KeyboardInterrupt), left.judging():
        raise KeyboardInterrupt
    assert left.judgings == []


@pytest.mark.parametrize(("every", "writings"), [(1.0, 360), (25.0, 144), (1800.0, 60)])
def test_the_page_is_written_with_new_rows_but_not_all_the_time(
    tmp_path: Path, every: float, writings: int
) -> None:
    """In an hour of steps of a second, with a row after so many seconds."""
    clock, written = Clock(), list[float]()

    def describe(state: State, message: str, expected: float) -> Run:
        written.append(clock.now)
        return Run("a", "molecules", state, 1, 2)

    page = Page(tmp_path / "page.html", describe, clock=clock)
    for second in range(3600):
        clock.now = float(second)
        page.update(fresh=second % every == 0)
    assert len(written) == pytest.approx(writings, rel=0.05)


def test_a_page_that_cannot_be_written_is_no_end_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page(tmp_path / "none" / "page.html", lambda *_: Run("a", "poses", "running", 1, 2))
    page.write("running")
    page.write("finished")
    assert capsys.readouterr().err.count("is not up to date") == 1


def test_a_run_is_shown_from_its_start_to_its_end(
    run: Command, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[str]()
    judge = Molecules.judge

    def watched(*words: Any) -> Mapping[str, float]:
        seen.append((tmp_path / "run" / "training.html").read_text())
        return judge(*words)

    monkeypatch.setattr(Molecules, "judge", watched)
    done = run("train", tiny_config)
    assert done.status == 0, done.err
    assert f"Its curves, in a browser: {tmp_path / 'run' / 'training.html'}" in done.err
    assert 'data-state="running"' in seen[0] and ">Evaluating the model.</p>" in seen[0]
    text = (tmp_path / "run" / "training.html").read_text()
    assert state(tmp_path / "run") == "finished" and "<b>6</b> of 6 steps" in text
    assert "Loss by part" in text and "Evaluation of 3 samples" in text
    assert "tiny" in text and "name: transformer" in text


def test_the_time_left_is_in_the_lines(run: Command, tiny_config: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(log, "_LINES", 0.0)
    done = run("train", tiny_config)
    lines = [line for line in done.err.splitlines() if line.startswith("step ")]
    assert re.search(r"^step 3 of 6: .* molecules/s, \d+ s \+ 1 evaluation left$", lines[2])
    assert re.search(r"^step 5 of 6: .* molecules/s, \d+ s left$", lines[5])
    assert lines[-1].endswith("molecules/s")


def test_a_stopped_and_a_failed_run_say_so_and_resumed_ones_go_on(
    run: Command, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def fail(*_: Any) -> None:
        raise RuntimeError("out of <memory>")

    output = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Molecules, "judge", stop)
        assert run("train", tiny_config).status == 130
    assert state(output) == "stopped"
    text = (output / "training.html").read_text()
    assert f"Saved at step 4. To go on: moldiff train {tiny_config}" in text
    with monkeypatch.context() as patch:
        patch.setattr(Molecules, "judge", fail)
        assert run("train", tiny_config).status == 1
    assert state(output) == "failed"
    assert "out of &lt;memory&gt;" in (output / "training.html").read_text()
    assert run("train", tiny_config).status == 0
    text = (output / "training.html").read_text()
    assert state(output) == "finished"
    curves = json.loads(html.unescape(re.findall(r'data-curves="([^"]*)"', text)[0]))
    assert [step for step, _ in curves["types"]] == [1, 2, 3, 4, 5, 6]


def test_another_run_in_the_directory_finds_its_files_as_they_were(
    run: Command, tiny_config: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    assert run("train", tiny_config).status == 0
    for name in ("log.csv", "evaluation.csv"):  # as if it were some steps beyond its checkpoint
        last = (output / name).read_text().splitlines()[-1]
        with (output / name).open("a") as file:
            file.write("9" + last + "\n")
    before = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
    with lock_directory(output):
        again = run("train", tiny_config, "--steps", 9)
    assert again.status == 2 and "Another run is training" in again.err
    assert before == {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


def test_fewer_steps_than_there_are_change_nothing(
    run: Command, tiny_config: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    assert run("train", tiny_config).status == 0
    before = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
    less = run("train", tiny_config, "--steps", 4)
    assert less.status == 0 and "is at step 6 already" in less.err and "--steps" in less.err
    assert before == {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


def test_the_device_is_checked_before_the_data_are_prepared(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sample = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
    done = run("train", sample, "--device", "cuda:99")
    assert done.status == 2 and "'cuda:99' is not available" in done.err
    assert not list(tmp_path.iterdir()) and "Preparing" not in done.err


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (60, 1), (500, 10), (5000, 100), (9**9, 100)])
def test_short_runs_log_more_often(steps: int, every: int) -> None:
    assert log.log_every(steps) == every


class Mine(Logger):
    """Keeps what it gets; fails at a step."""

    got: list[tuple[str, Any]]
    fails = 10**9

    def __init__(self, output: Path, name: str, step: int) -> None:
        type(self).got = [("open", (output.name, name, step))]

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        if step >= self.fails:
            raise OSError("the server is gone")
        self.got.append(("metrics", (step, dict(metrics))))

    def log_hyperparams(self, params: Mapping[str, Any]) -> None:
        self.got.append(("params", params["optimizer"]["lr"]))

    def finalize(self, status: str) -> None:
        self.got.append(("end", status))


register("logger", "mine", context=("output", "name", "step"))(Mine)


def test_a_logger_gets_everything_that_is_logged(
    run: Command, tiny_config: Path, tmp_path: Path
) -> None:
    done = run("train", tiny_config, "--logger", "mine")
    assert done.status == 0, done.err
    assert Mine.got[:2] == [("open", ("run", "tiny", 0)), ("params", 1e-3)]
    assert Mine.got[-1] == ("end", "success")
    metrics = dict(value for kind, value in Mine.got if kind == "metrics" and "rate" in value[1])
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = {int(row.pop("step")): row for row in csv.DictReader(file)}
    assert rows.keys() == metrics.keys() == set(range(1, 7))
    for step, row in rows.items():
        own = {name.removeprefix("loss/"): value for name, value in metrics[step].items()}
        assert own == {k: float(v) for k, v in row.items() if k not in ("precision", "hours")}
    (judged,) = [v for kind, v in Mine.got if kind == "metrics" and "rate" not in v[1]]
    assert judged[0] == 4 and judged[1]["judged/samples"] == 3


def test_a_logger_that_fails_is_left_out(
    run: Command, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mine, "fails", 3)
    done = run("train", tiny_config, "--logger", "mine")
    assert done.status == 0
    assert done.err.count("Mine gets no more of this run: OSError: the server is gone") == 1
    assert Mine.got[-1][1][0] == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wandbb", ["no logger called 'wandbb'", "Did you mean 'wandb'"]),
        ("absent", ["--logger absent needs no-such-package", "pip install no-such-package"]),
    ],
)
def test_a_logger_that_cannot_be_is_refused_first(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: list[str]
) -> None:
    class Absent(Mine):
        needs = ("no_such_package",)

    register("logger", "absent", context=("output", "name", "step"))(Absent)
    monkeypatch.chdir(tmp_path)
    sample = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
    done = run("train", sample, "--logger", name)
    assert done.status == 2 and all(text in done.err for text in told), done.err
    assert not list(tmp_path.iterdir())


def test_a_finished_run_gets_its_page_when_it_is_run_again(
    run: Command, tiny_config: Path, tmp_path: Path
) -> None:
    assert run("train", tiny_config).status == 0
    (tmp_path / "run" / "training.html").unlink()
    assert run("train", tiny_config).status == 0
    assert state(tmp_path / "run") == "finished"
