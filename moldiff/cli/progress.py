"""Progress of work in named stages: bars on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from moldiff.cli.output import bar, remark

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Lines", "stages"]

#: Called as ``show(stage, done, total)``.
Show: TypeAlias = Callable[[str, int, int], None]

_SILENT = 5.0  # minimum seconds between two lines: short work prints none
_PATIENT = 30.0  # seconds after which any progress is reported


@contextmanager
def stages() -> Iterator[Show]:
    """Give a function that shows the progress of each stage on stderr."""
    with bar("{task.completed} of {task.total}") as shown:
        yield Lines() if shown.disable else _Bars(shown)


class _Bars:
    def __init__(self, shown: Progress) -> None:
        self.shown = shown
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self.tasks:
            self.tasks[stage] = self.shown.add_task(stage, total=total)
        self.shown.update(self.tasks[stage], completed=done)


class Lines:
    """Prints a line after each tenth of a stage, or each half minute, for log files and pipes."""

    def __init__(
        self, say: Callable[[str], None] = remark, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.say, self.clock = say, clock
        self.last = clock()
        self.tenths: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Print the progress of ``stage`` if a line is due."""
        tenths = 10 * done // max(1, total)
        waited = self.clock() - self.last
        further = tenths > self.tenths.get(stage, 0)
        if done and waited >= (_SILENT if further else _PATIENT):
            self.say(f"{stage}: {done} of {total} ({100 * done // total} %)")
            self.last += waited
            self.tenths[stage] = tenths
