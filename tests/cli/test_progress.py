"""Progress where stderr is no terminal: a line now and then, none for quick work."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moldiff.cli import progress
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


def test_evaluate_tells_how_far_it_is(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--reference", "none", "--posebusters", 0, "--relax", 10, "--xtb", 0)
    quiet = run("evaluate", SAMPLE, *options)
    assert quiet.status == 0 and " %)" not in quiet.err
    monkeypatch.setattr(progress, "_SILENT", 0.0)
    told = run("evaluate", SAMPLE, *options)
    assert "relaxation: 10 of 10 (100 %)" in told.err and "(100 %)" not in told.out
