"""Progress of work in named stages: bars on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from moldiff.cli.failure import Interrupted
from moldiff.cli.output import bar, counted, remark

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["BRIEF", "Lines", "Show", "preparing", "stages"]

_SILENT = 5.0  # minimum seconds between two lines: short work prints none
_PATIENT = 30.0  # seconds after which any progress is reported
_PREPARING = 10.0  # the same while data are prepared
BRIEF = 8.0
"""The same of commands that beginners wait for: no log is silent for more than 10 s."""


class Show(Protocol):
    """Shows how far a stage is; ``more`` is what else there is to say, such as the best so far."""

    def __call__(self, stage: str, done: int, total: int, more: str = "") -> None: ...


@contextmanager
def stages(patience: float = _PATIENT) -> Iterator[Show]:
    """Give a function that shows the progress of each stage on stderr.

    ``patience`` is in seconds: where there is no terminal, any progress is reported after it.
    """
    with bar("{task.fields[note]}") as shown:
        yield Lines(patience=patience) if shown.disable else _Bars(shown)


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
    """Prints a line after each tenth of a stage, or some seconds, for log files and pipes."""

    def __init__(
        self,
        say: Callable[[str], None] = remark,
        clock: Callable[[], float] = time.monotonic,
        patience: float = _PATIENT,
    ) -> None:
        self.say, self.clock, self.patience = say, clock, patience
        self.last = clock()
        self.tenths: dict[str, int] = {}
        self.pace = _Pace(clock)

    def __call__(self, stage: str, done: int, total: int, more: str = "") -> None:
        """Print the progress of ``stage`` if a line is due."""
        tenths = 10 * done // max(1, total)
        waited = self.clock() - self.last
        further = tenths > self.tenths.get(stage, 0)
        note = _joined(self.pace(stage, done, total), more)
        if done and waited >= (_SILENT if further else self.patience):
            self.say(f"{stage}: {note}")
            self.last += waited
            self.tenths[stage] = tenths


def _joined(note: str, more: str) -> str:
    return ", ".join(word for word in (note, more) if word)


def _duration(seconds: float) -> str:
    """Format a time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
