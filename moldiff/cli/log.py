"""What a training run reports: rows of ``log.csv``, the page of its curves, loggers, a line."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from moldiff.cli.output import counted, duration, remark
from moldiff.cli.watch import Page, TimeLeft

if TYPE_CHECKING:
    from moldiff.report.training import Run, State
    from moldiff.train import Trainer
    from moldiff.train.loggers import Logger
    from moldiff.train.trainer import Progress
    from moldiff.train.workload import Figures

__all__ = ["Log", "drop_after", "log_every"]

_MEMORY = 0.98  # decay of the smoothed losses
_LINES = 1.0  # least seconds between two lines
_EVALUATION = 3600.0  # seconds after which an evaluation that ends is still no surprise


def log_every(steps: int) -> int:
    """Return the steps between rows of ``log.csv``: 100, fewer in runs of less than 5,000."""
    return max(1, min(100, steps // 50))


class Log:
    """Losses of ``trainer``, averaged over some steps at a time, wherever they are shown.

    The ``with`` block is the training: the page and the loggers are told how it ends.

    Parameters
    ----------
    trainer:
        The run.
    again:
        The command that resumes it.
    loggers:
        Names of loggers to send everything to (`moldiff.train.loggers`).
    """

    def __init__(self, trainer: Trainer, again: str, loggers: Sequence[str] = ()) -> None:
        self.trainer, self.again = trainer, again
        self.samples = trainer.work.samples
        self.every = log_every(trainer.config.steps)
        self.left = TimeLeft(trainer.config.steps, trainer.config.evaluation.every)
        self.page = Page(trainer.output / "training.html", self._run)
        self.line_due = False
        self._names = loggers
        self._loggers: list[Logger] = []
        self._shown_at = -_LINES
        self._smooth: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._molecules = 0.0
        self._since = self._last = trainer.seconds
        self._progress: Progress | None = None  # not in a row yet

    def __enter__(self) -> Log:
        from moldiff.train.loggers import open_logger

        trainer, config = self.trainer, self.trainer.config
        for name in self._names:
            self._loggers.append(open_logger(name, trainer.output, config.name, trainer.step))
        self._send(lambda logger: logger.log_hyperparams(config.to_dict()))
        self.page.write("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        trainer, message = self.trainer, ""
        state: State = "finished" if trainer.step >= trainer.config.steps else "stopped"
        if error is not None:
            state, message = "failed", getattr(error, "line", str(error)) or type(error).__name__
        elif state == "stopped":
            if self._progress is not None:
                self._write(self._progress, self._speed)
            message = f"Saved at step {trainer.step}. To go on: {self.again}"
        self.page.write(state, message)
        ends = {"finished": "success", "stopped": "aborted", "failed": "failed"}
        self._send(lambda logger: logger.finalize(ends[state]))

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
        self.left.add(progress.step)
        self._progress, speed = progress, self._speed
        last = progress.step == self.trainer.config.steps
        row = progress.step % self.every == 0 or last
        if row:
            self._write(progress, speed)
        self.page.update(fresh=row)
        now = time.monotonic()
        self.line_due = last or (row and now - self._shown_at >= _LINES)
        self._shown_at = now if self.line_due else self._shown_at
        return f"{text} rate {progress.rate:.1e} {speed:.0f} {self.samples}/s"

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Time an evaluation, for the time left; the page says that it goes on."""
        self.page.write("running", "Evaluating the model.", expected=_EVALUATION)
        with self.left.judging():
            yield

    def judged(self, figures: Figures) -> None:
        """Report the figures of an evaluation."""
        step = self.trainer.step
        metrics = {f"judged/{name}": float(value) for name, value in figures.items()}
        self._send(lambda logger: logger.log_metrics(metrics, step))

    @property
    def _speed(self) -> float:
        """Samples per second since the last row."""
        return self._molecules / max(1e-9, self._last - self._since)

    def _write(self, progress: Progress, speed: float) -> None:
        from moldiff.train.records import append_csv

        losses = {name: round(value / self._steps, 5) for name, value in self._sums.items()}
        statistics = {
            "rate": round(progress.rate, 7),
            "norm": round(progress.norm, 3),
            "skipped": progress.skipped,
            "speed": round(speed, 1),
        }
        row = {
            "step": progress.step,
            **losses,
            **statistics,
            "precision": str(self.trainer.precision).removeprefix("torch."),
            "hours": round(self.trainer.seconds / 3600, 4),
        }
        append_csv(self.trainer.output / "log.csv", row)
        metrics = {f"loss/{name}": value for name, value in losses.items()} | statistics
        self._send(lambda logger: logger.log_metrics(metrics, progress.step))
        self._sums, self._steps, self._molecules = {}, 0, 0.0
        self._since, self._progress = self._last, None

    def _send(self, call: Callable[[Logger], None]) -> None:
        """Call all loggers; one that fails is left out from then on, and the run goes on."""
        for logger in list(self._loggers):
            try:
                call(logger)
            except Exception as error:  # of a network, a full disk, a server: anything
                self._loggers.remove(logger)
                name = type(logger).__name__
                remark(f"{name} gets no more of this run: {type(error).__name__}: {error}")

    def _run(self, state: State, message: str, expected: float) -> Run:
        """What the page says."""
        from moldiff.report.training import Run
        from moldiff.train import notation
        from moldiff.train.records import table

        trainer, config = self.trainer, self.trainer.config
        parameters = sum(p.numel() for p in trainer.network.parameters())
        return Run(
            name=config.name,
            samples=self.samples,
            state=state,
            message=message,
            step=trainer.step,
            steps=config.steps,
            left=str(self.left) if state == "running" else "",
            logged=table(trainer.output / "log.csv")[1],
            judged=table(trainer.output / "evaluation.csv")[1],
            facts={
                "Task": config.task,
                "Data": config.data,
                "Batch": counted(config.batch, trainer.work.unit),
                "Parameters": f"{parameters:,}",
                "Device": f"{config.device}, {str(trainer.precision).removeprefix('torch.')}",
                "Time in steps": duration(trainer.seconds),
                "Steps without an update": str(trainer.skipped),
            },
            settings=notation.to_yaml(config.to_dict()),
            expected=max(expected, self.left.longest),
        )


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
