"""Progress of work in named stages: bars on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from moldiff.cli.failure import Interrupted
from moldiff.cli.output import bar, counted, duration, remark
from moldiff.interrupts import held

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["BRIEF", "Lines", "Show", "preparing", "stages", "working"]

_SILENT = 5.0  # minimum seconds between two lines: short work prints none
_PATIENT = 30.0  # seconds after which a line says how far it is, also without any progress
_PREPARING = 10.0  # the same while data are prepared
_PARTING = 5.0  # seconds that a last line may take, where its reader is slow
BRIEF = 6.0
"""The same of commands that beginners wait for: no log is silent for more than 10 s.

The rest is for the start of Python, before the first stage, where a machine is busy.
"""


class Show(Protocol):
    """Shows how far a stage is; ``more`` is what else there is to say, such as the best so far."""

    def __call__(self, stage: str, done: int, total: int, more: str = "") -> None: ...


@contextmanager
def stages(patience: float = _PATIENT) -> Iterator[Show]:
    """Give a function that shows the progress of each stage on stderr.

    ``patience`` is in seconds: where there is no terminal, no silence is longer, whether there is
    progress or not.
    """
    with bar("{task.fields[note]}") as shown:
        if not shown.disable:
            yield _Bars(shown)
            return
        lines = Lines(patience=patience)
        with _beating(lines):
            yield lines


@contextmanager
def working(stage: str) -> Iterator[Show]:
    """Do as `stages` for what beginners wait for; ``stage`` begins at once and has no count."""
    with stages(BRIEF) as show:
        show(stage, 0, 0)
        yield show


@contextmanager
def _beating(lines: Lines) -> Iterator[None]:
    """Call `Lines.beat` whenever it is due, from a thread that ends with the block."""
    ended = threading.Event()

    def beats() -> None:
        wait = lines.patience
        while not ended.wait(wait):
            try:
                wait = lines.beat()
            except (OSError, ValueError):  # stderr is closed: the next report will tell
                return

    thread = threading.Thread(target=beats, name="moldiff-progress", daemon=True)
    try:
        with held():  # the thread must not receive Ctrl-C in place of this one
            thread.start()
        yield
    finally:
        with held():  # nor a second Ctrl-C leave it behind
            ended.set()
            if thread.is_alive():
                thread.join(_PARTING)


@contextmanager
def preparing(folder: Path, again: Sequence[str]) -> Iterator[Show]:
    """Show the progress of preparing data; on Ctrl-C say what is kept and how to go on.

    Nothing is kept of stages that draw from a source, and nothing more of those that write.

    Parameters
    ----------
    folder:
        Where parts of the data are kept until all are there.
    again:
        The command that goes on.

    Raises
    ------
    Interrupted
        On Ctrl-C after the preparation has begun.
    """
    prepared: list[int] = []

    def show(stage: str, done: int, total: int, more: str = "") -> None:
        if not stage.startswith("writing"):
            prepared[:] = [0 if stage.startswith("drawing") else done]
        display(stage, done, total, more)

    with stages(_PREPARING) as display:
        try:
            yield show
        except KeyboardInterrupt:
            if not prepared:
                raise
            command = shlex.join(again)
            if not prepared[0]:
                raise Interrupted(f"Stopped; nothing was finished. Again: {command}") from None
            kept = f"{counted(prepared[0], 'record')}, kept in {folder}"
            raise Interrupted(f"Stopped after {kept}. To go on: {command}") from None


class _Pace:
    """How far each stage is; its speed counts since its first report."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.first: dict[str, tuple[float, int]] = {}

    def __call__(self, stage: str, done: int, total: int) -> str:
        """Return how far a stage is, with speed and time left where they can be known."""
        now = self.clock()
        start, already = self.first.setdefault(stage, (now, done))
        if not total:
            return f"{done}" if done else ""
        notes = [f"{100 * done // total} %"]
        if already < done < total and now > start:
            speed = (done - already) / (now - start)
            notes += [f"{speed:.{0 if speed >= 10 else 2}f}/s"]
            notes += [f"{_duration((total - done) / speed)} left"]
        return f"{done} of {total} ({', '.join(notes)})"


class _Bars:
    def __init__(self, shown: Progress) -> None:
        self.shown = shown
        self.tasks: dict[str, TaskID] = {}
        self.pace = _Pace(time.monotonic)

    def __call__(self, stage: str, done: int, total: int, more: str = "") -> None:
        if stage not in self.tasks:
            self.tasks[stage] = self.shown.add_task(stage, total=None, note="")
        note = _joined(self.pace(stage, done, total), more)
        self.shown.update(self.tasks[stage], completed=done, total=total or None, note=note)


class Lines:
    """Prints a line after each tenth of a stage, or some seconds, for log files and pipes.

    Between two reports `beat` does so; another thread may call it.
    """

    def __init__(
        self,
        say: Callable[[str], None] = remark,
        clock: Callable[[], float] = time.monotonic,
        patience: float = _PATIENT,
    ) -> None:
        self.say, self.clock, self.patience = say, clock, patience
        self.last = self.since = clock()  # of the last line, and of the last progress
        self.report = ("starting", 0, 0, "")
        self.tenths: dict[str, int] = {}
        self.pace = _Pace(clock)
        self.lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int, more: str = "") -> None:
        """Print the progress of ``stage`` if a line is due."""
        with self.lock:
            if (stage, done) != self.report[:2]:
                self.since = self.clock()
            self.report = (stage, done, total, more)
            tenths = 10 * done // max(1, total)
            waited = self.clock() - self.last
            further = tenths > self.tenths.get(stage, 0)
            note = _joined(self.pace(stage, done, total), more)
            if done and waited >= (_SILENT if further else self.patience):
                self.say(f"{stage}: {note}")
                self.last += waited
                self.tenths[stage] = tenths

    def beat(self) -> float:
        """Print how far the work is if nothing was printed for long.

        Returns
        -------
        The seconds until this is to be called again.
        """
        if not self.lock.acquire(blocking=False):  # a report is on its way
            return self.patience / 8
        try:
            waited = self.clock() - self.last
            if waited >= self.patience:
                self.say(self._standing())
                self.last += waited
            return max(self.last + self.patience - self.clock(), self.patience / 8)
        finally:
            self.lock.release()

    def _standing(self) -> str:
        """Return how far the work is, and for how long it has been there."""
        stage, done, total, more = self.report
        idle = self.clock() - self.since
        if 0 < total <= done:
            return f"after {stage}: {duration(idle)} so far"
        note = _joined(self.pace(stage, done, total), more)
        if not note:
            return f"{stage}: {duration(idle)} so far"
        same = f", the same for {duration(idle)}" if idle >= self.patience else ""
        return f"{stage}: {note}{same}"


def _joined(note: str, more: str) -> str:
    return ", ".join(word for word in (note, more) if word)


def _duration(seconds: float) -> str:
    """Format a time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
