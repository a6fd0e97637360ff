"""Watching a training run: the time left, and a page of its curves that is kept up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.cli.output import counted, duration, remark
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.report.training import Run, State

__all__ = ["Page", "TimeLeft"]

_APART = 10.0  # least seconds between two writings of the page
_QUIET = 60.0  # seconds after which it is written although the log has no new row
_SHARE = 1e-3  # largest share of the time that writing the page may take


class TimeLeft:
    """The time left of a run, from the steps and the evaluations of this session.

    A step takes the mean of those since the first of the session, which also prepares; what
    happens between steps (checkpoints) counts, evaluations are counted apart.
    """

    def __init__(
        self, steps: int, every: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps, self.every, self.clock = steps, every, clock
        self.first = self.step = 0
        self.start: float | None = None
        self.now = 0.0
        self.between = 0.0  # seconds of evaluations since the first step
        self.judgings: list[float] = []
        self.longest = 0.0  # seconds from one step to the next, at most so far

    def add(self, step: int) -> None:
        """Add a step just done."""
        now = self.clock()
        if self.start is None:
            self.first, self.start, self.between, self.now = step, now, 0.0, now
        self.longest = max(self.longest, now - self.now)
        self.step, self.now = step, now

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Time an evaluation."""
        start = self.clock()
        yield
        self.judgings.append(self.clock() - start)
        self.between += self.judgings[-1]

    @property
    def evaluations(self) -> int:
        """Evaluations to come."""
        return self.steps // self.every - self.step // self.every if self.every else 0

    def seconds(self) -> float | None:
        """Return the seconds left; without evaluations until one has been timed; None: unknown."""
        if self.start is None or self.step == self.first:
            return None
        each = (self.now - self.start - self.between) / (self.step - self.first)
        judging = sum(self.judgings) / len(self.judgings) if self.judgings else 0.0
        return each * (self.steps - self.step) + judging * self.evaluations

    def __str__(self) -> str:
        """The time left in words; "" if unknown."""
        seconds = self.seconds()
        if seconds is None or self.step >= self.steps:
            return ""
        unknown = 0 if self.judgings else self.evaluations
        more = f" + {counted(unknown, 'evaluation')}" if unknown else ""
        return f"{duration(seconds)}{more} left"


class Page:
    """The page of a run, written when it is due: rarely enough to cost next to nothing.

    Parameters
    ----------
    path:
        File of the page.
    describe:
        Called with the state, a sentence about it ("": none) and the seconds until the page is
        written again; returns what the page says.
    """

    def __init__(
        self,
        path: Path,
        describe: Callable[[State, str, float], Run],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.describe, self.clock = path, describe, clock
        self.written = -float("inf")
        self.apart = _APART
        self.failed = False

    def update(self, fresh: bool) -> None:
        """Write the page of a running run if it is due; ``fresh``: there is something new."""
        waited = self.clock() - self.written
        if waited >= (self.apart if fresh else max(_QUIET, self.apart)):
            self.write("running")

    def write(self, state: State, message: str = "", *, expected: float = _QUIET) -> None:
        """Write the page; where that fails, say so once and let the run go on.

        ``expected``: seconds until it is written again, at most.
        """
        from moldiff.report.training import render_training
        from moldiff.text import replace_text

        start, self.written = time.process_time(), self.clock()
        try:
            run = self.describe(state, message, max(expected, self.apart))
            replace_text(self.path, render_training(run))
        except (InputError, OSError) as error:
            if not self.failed:
                remark(f"The page of the run is not up to date: {error}")
            self.failed = True
        self.apart = max(_APART, (time.process_time() - start) / _SHARE)
