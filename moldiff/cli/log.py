"""The log of a training run: smoothed losses for the bar, averages for ``log.csv``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moldiff.train import Trainer
    from moldiff.train.trainer import Progress

__all__ = ["LOG_EVERY", "Log", "drop_after"]

LOG_EVERY = 100  # steps between rows of log.csv
_MEMORY = 0.98  # decay of the smoothed losses


class Log:
    """Losses of ``trainer``, averaged: a row in ``log.csv`` every `LOG_EVERY` steps."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.samples = trainer.work.samples
        self.wrote = False
        self._smooth: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._molecules = 0.0
        self._since = self._last = trainer.seconds

    def rewind(self) -> None:
        """Drop the rows of steps that a resumed run will take again."""
        for name in ("log.csv", "evaluation.csv"):
            drop_after(self.trainer.output / name, self.trainer.step)

    def add(self, progress: Progress) -> str:
        """Add a step; return smoothed losses and speed as text."""
        seconds = self.trainer.seconds
        self._molecules += progress.speed * (seconds - self._last)
        self._last = seconds
        self._steps += 1
        for name, value in progress.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            before = self._smooth.get(name, value)
            self._smooth[name] = _MEMORY * before + (1 - _MEMORY) * value
        text = " ".join(f"{name} {value:.3f}" for name, value in self._smooth.items())
        speed = self._molecules / max(1e-9, seconds - self._since)
        self.wrote = progress.step % LOG_EVERY == 0 or progress.step == self.trainer.config.steps
        if self.wrote:
            self._write(progress, speed)
        return f"{text} rate {progress.rate:.1e} {speed:.0f} {self.samples}/s"

    def _write(self, progress: Progress, speed: float) -> None:
        from moldiff.train.records import append_csv

        row = {
            "step": progress.step,
            **{name: round(value / self._steps, 5) for name, value in self._sums.items()},
            "rate": round(progress.rate, 7),
            "norm": round(progress.norm, 3),
            "skipped": progress.skipped,
            "precision": str(self.trainer.precision).removeprefix("torch."),
            "speed": round(speed, 1),
            "hours": round(self.trainer.seconds / 3600, 4),
        }
        append_csv(self.trainer.output / "log.csv", row)
        self._sums, self._steps, self._molecules = {}, 0, 0.0
        self._since = self._last


def drop_after(path: Path, step: int) -> None:
    """Drop the rows of a table after ``step``, and rows torn by a crash."""
    from moldiff.text import replace_text

    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    header = rows[:1]
    column = header[0].index("step") if header and "step" in header[0] else 0
    kept = [
        row
        for row in rows[1:]
        if len(row) == len(header[0]) and row[column].isdecimal() and int(row[column]) <= step
    ]
    if len(kept) < len(rows[1:]):
        text = io.StringIO()
        csv.writer(text).writerows([*header, *kept])
        replace_text(path, text.getvalue())
