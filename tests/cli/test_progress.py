"""Progress where stderr is no terminal: a line now and then, none for quick work."""

from __future__ import annotations

import io
import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moldiff.cli import progress, requests
from moldiff.cli.output import bar
from moldiff.cli.progress import Lines, stages

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


def lines(seconds: float, total: int = 1000, **options: float) -> list[str]:
    """What is said about ``total`` items that take so many seconds in all."""
    now, said = [0.0], list[str]()
    show = Lines(said.append, lambda: now[0], **options)
    show("work", 0, total)
    for done in range(1, total + 1):
        now[0] += seconds / total
        show("work", done, total)
    return said


def test_quick_work_says_nothing() -> None:
    assert lines(4.9) == []


def test_a_line_for_each_tenth() -> None:
    assert lines(200.0)[:2] == [
        "work: 100 of 1000 (10 %, 5.00/s, 3:00 left)",
        "work: 200 of 1000 (20 %, 5.00/s, 2:40 left)",
    ]
    assert lines(200.0)[-1] == "work: 1000 of 1000 (100 %)"
    assert len(lines(200.0)) == 10 and len(lines(20.0)) <= 4


def test_a_line_says_what_else_there_is() -> None:
    now, said = [0.0], list[str]()
    show = Lines(said.append, lambda: now[0])
    now[0] = 100.0
    show("docking", 5, 10, "best a, -7.10 kcal/mol")
    assert said == ["docking: 5 of 10 (50 %), best a, -7.10 kcal/mol"]


def test_slow_work_is_not_silent_for_long() -> None:
    said = lines(3600.0)
    assert 100 <= len(said) <= 130 and len(set(said)) == len(said)


def test_long_work_tells_hours_and_the_patience_can_be_less() -> None:
    assert lines(36000.0)[0].endswith("(0 %, 0.03/s, 9:59:24 left)")
    assert lines(600.0, patience=10.0)[0] == "work: 17 of 1000 (1 %, 1.67/s, 9:50 left)"


def test_what_was_there_is_no_speed() -> None:
    """Nor is what is there of a resumed preparation, whose first report is of that."""
    now, said = [0.0], list[str]()
    show = Lines(said.append, lambda: now[0])
    show("work", 900, 1000)
    now[0] += 40
    show("work", 920, 1000)
    assert said == ["work: 920 of 1000 (92 %, 0.50/s, 2:40 left)"]


class Work:
    """A stage under a false clock: ``wait`` lets time pass in steps of the heart that beats."""

    def __init__(self, patience: float) -> None:
        self.now, self.said = 0.0, list[str]()
        self.show = Lines(self.said.append, lambda: self.now, patience)
        self.due = patience

    def wait(self, seconds: float) -> list[str]:
        """What is said meanwhile."""
        before, end = len(self.said), self.now + seconds
        while self.due <= end:
            self.now = max(self.now, self.due)
            self.due = self.now + self.show.beat()
        self.now = end
        return self.said[before:]


def test_a_slow_item_is_told_while_it_takes_its_time() -> None:
    work = Work(patience=8.0)
    work.show("PoseBusters", 0, 32)
    work.wait(4.0)
    work.show("PoseBusters", 3, 32)
    assert work.said == []
    assert work.wait(21.0) == [
        "PoseBusters: 3 of 32 (9 %, 0.38/s, 1:17 left)",
        "PoseBusters: 3 of 32 (9 %, 0.19/s, 2:35 left), the same for 12 s",
        "PoseBusters: 3 of 32 (9 %, 0.12/s, 3:52 left), the same for 20 s",
    ]


def test_what_has_no_count_and_what_comes_before_and_after_is_told() -> None:
    work = Work(patience=8.0)
    assert work.wait(9.0) == ["starting: 8 s so far"]
    work.show("loading the model", 0, 0)
    assert work.wait(16.0) == ["loading the model: 7 s so far", "loading the model: 15 s so far"]
    work.show("relaxation", 0, 4)
    assert work.wait(8.0) == ["relaxation: 0 of 4 (0 %)"]
    work.show("relaxation", 4, 4, "best a")
    assert work.wait(80.0)[-1] == "after relaxation: 1 min so far"


@pytest.mark.parametrize("gap", [0.5, 3.0, 7.0, 11.0, 50.0])
def test_no_silence_is_longer_than_the_patience(gap: float) -> None:
    """Nor is anything said twice at a time, whether reports come between the beats or seldom."""
    work, times = Work(patience=8.0), [0.0]
    work.show.say = lambda _: times.append(work.now)
    for done in range(1, 60):
        work.wait(gap)
        work.show("work", done, 1000)
    silences = [after - before for before, after in itertools.pairwise([*times, work.now])]
    assert max(silences) <= 9.0 and min(silences[:-1]) >= 5.0


def test_a_stage_that_hangs_is_told_and_nothing_after_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In real time: the line is there before the work is done, and the thread is gone after it."""
    before = threading.active_count()
    with stages(0.05) as show:
        show("PoseBusters", 3, 32)
        told = ""
        for _ in range(200):  # 10 s at most
            time.sleep(0.05)
            told += capsys.readouterr().err
            if told:
                break
        assert told.startswith("PoseBusters: 3 of 32 (9 %)")
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    capsys.readouterr()
    time.sleep(0.2)
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out == ""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot wait here")
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_heartbeat_and_reaches_the_work() -> None:
    masks: list[set[signal.Signals]] = []

    def say(_: str) -> None:
        masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), stages(0.02) as show:
        assert isinstance(show, Lines)
        show.say = say
        for _ in range(500):
            time.sleep(0.02)
            if masks:
                signal.raise_signal(signal.SIGINT)
    assert masks and all(signal.SIGINT in mask for mask in masks), "RDKit would not see Ctrl-C"
    assert threading.active_count() == before


def test_a_log_that_is_closed_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def say(_: str) -> None:
        raise BrokenPipeError

    with stages(0.02) as show:
        assert isinstance(show, Lines)
        show.say = say
        time.sleep(0.2)
    assert failures == []


def test_stages_are_apart_and_may_be_empty() -> None:
    now, said = [0.0], list[str]()
    show = Lines(said.append, lambda: now[0])
    show("nothing", 0, 0)
    for stage in ("one", "two"):
        now[0] += 10
        show(stage, 3, 4)
    assert said == ["one: 3 of 4 (75 %)", "two: 3 of 4 (75 %)"]


def test_off_a_terminal_it_goes_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SILENT", 0.0)
    with stages() as show:
        show("work", 5, 10)
    captured = capsys.readouterr()
    assert captured.err == "work: 5 of 10 (50 %)\n" and captured.out == ""


class Terminal(io.StringIO):
    """A terminal at which Ctrl-C is pressed when ``at`` is written to it."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.at in text:
            self.at = "no more"
            signal.raise_signal(signal.SIGINT)
        return written


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as at a terminal: jobs in the background of a shell ignore it."""
    known = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, known)


HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot wait here")
@pytest.mark.parametrize("at", [HIDE, SHOW])
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_gives_the_terminal_back(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the bar appears, or goes: the cursor is shown again, and stderr is what it was."""
    terminal = Terminal(at)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(KeyboardInterrupt), bar() as shown:
        shown.add_task("work", total=1)
    assert terminal.getvalue().rindex(SHOW) > terminal.getvalue().rindex(HIDE)
    assert sys.stderr is terminal


@pytest.mark.parametrize("where", [("-o", "-"), ("--json",)])
def test_a_command_tells_that_it_loads_and_stdout_is_clean(
    run: Callable[..., Any],
    model_file: Path,
    where: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "BRIEF", 0.02)
    load = requests.Machine.load

    def slowly(*arguments: Any) -> Any:
        time.sleep(0.5)
        return load(*arguments)

    monkeypatch.setattr(requests.Machine, "load", slowly)
    done = run("generate", "--model", model_file, "-n", 2, *where)
    assert done.status == 0 and "loading the model: 0 s so far" in done.err
    assert "so far" not in done.out and "generating" not in done.out
    assert done.out.startswith("{") if where == ("--json",) else done.out.endswith("$$$$\n")


def test_evaluate_tells_how_far_it_is(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--reference", "none", "--posebusters", 0, "--relax", 10, "--xtb", 0)
    quiet = run("evaluate", SAMPLE, *options)
    assert quiet.status == 0 and " %)" not in quiet.err
    monkeypatch.setattr(progress, "_SILENT", 0.0)
    told = run("evaluate", SAMPLE, *options)
    assert "relaxation: 10 of 10 (100 %)" in told.err and "(100 %)" not in told.out
