"""The only data loop.

    config -> store -> workload -> [batch -> losses -> update -> average]* -> model

All randomness of step k derives from (seed, k), so a checkpoint is the tensors and one number,
and a killed run resumes with bitwise the same result, in the same precision.  A step is divided
into pieces, and these among the processes that train together (`moldiff.train.processes`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from moldiff.cpu import set_threads
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.precision import named, resolve
from moldiff.registry import describe
from moldiff.seeds import generator
from moldiff.storage import replace_copy, weights_digest
from moldiff.text import plural
from moldiff.train import checkpoint
from moldiff.train.config import TrainConfig
from moldiff.train.optimizer import Average, Optimizers
from moldiff.train.processes import Processes, check_share
from moldiff.train.records import append_csv, best, fitting_weights, lock_directory
from moldiff.train.workload import Data, Workload, task

__all__ = ["Progress", "Trainer"]

_NOISE, _EVALUATION = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Progress:
    """Report of a step.

    Attributes
    ----------
    step:
        Number of steps done.
    losses:
        Mean over the batch, by part.
    rate, norm:
        Learning rate, and norm of the gradient before clipping.
    speed:
        Samples per second.
    skipped:
        Steps of this run without an update, because their gradient was not finite.
    """

    step: int
    losses: dict[str, float]
    rate: float
    norm: float
    speed: float
    skipped: int = 0


class Trainer:
    """Train a model according to a configuration; resume from its checkpoint if there is one.

    Parameters
    ----------
    config:
        Settings of the run; ``config.task`` selects the workload.
    store:
        The data that the workload opened.
    judge:
        Called as ``judge(model, rng)`` at the evaluation interval; returns figures for
        the log.  Usually the `Workload.judge` of the task.
    processes:
        The processes that train together, already started (``with Processes(2) as processes``);
        each has a trainer with the same settings and data.  The main one alone judges and writes
        files.  By default this process trains alone.
    """

    def __init__(
        self,
        config: TrainConfig,
        store: Data,
        *,
        judge: Callable[[Any, torch.Generator], dict[str, float]] | None = None,
        processes: Processes | None = None,
    ) -> None:
        set_threads(config.threads)  # first: what is faster depends on them
        self.processes = processes = processes or Processes(device=config.device)
        check_share(config.pieces, processes.count)
        before = checkpoint.precision_of(Path(config.output, "checkpoint.safetensors"))
        # Decided once: processes that measure for themselves might differ.
        self.precision = processes.from_main(
            lambda: resolve(config.precision, config.device, before=before)
        )
        self.config = config = replace(
            config, precision=named(self.precision), device=processes.device
        )
        self.store, self.judge, self.output = store, judge, Path(config.output)
        self.step = self.judged = self.samples = self.skipped = 0
        self.seconds = self.cpu_seconds = 0.0
        self._asked = self._agreed = False
        with processes.first():  # an error of the settings is reported once
            self._build()

    def _build(self) -> None:
        """Make the parts of the run, as in its checkpoint if there is one."""
        config = self.config
        self.work: Workload = task(config)(config, self.store)
        if not self.checkpoint.exists():
            self.work.initialise()
        self.loader, self.model = self.work.loader, self.work.model
        try:
            self.network = self.model.network.to(config.device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"The device '{config.device}' cannot be used: {error}",
                fix="Use 'cpu', or 'cuda' where torch finds a GPU.",
            ) from error
        self.objective: Any = self.work.objective
        self.optimizers = Optimizers(self.network, config.optimizer, self.processes)
        self.average = Average(self.network.parameters(), config.optimizer.ema)
        if self.checkpoint.exists():
            self.restore()

    @property
    def checkpoint(self) -> Path:
        """File with the state of the run."""
        return self.output / "checkpoint.safetensors"

    @property
    def before_decay(self) -> Path:
        """File with the state at the start of the decay, for extending a finished run."""
        return self.output / "before-decay.safetensors"

    def identity(self) -> dict[str, Any]:
        """Return the settings that must not change when a run is resumed, as plain values."""
        config = self.config.to_dict()
        run = {key: config[key] for key in ("seed", "batch", "pieces", "objective")}
        optimizer = {k: v for k, v in config["optimizer"].items() if k != "decay"}
        model = {k: v for k, v in self.model.config().items() if k != "sampling"}
        data = self.store.meta["sha256"]
        identity = run | {"optimizer": optimizer, "data": data} | model | self.work.identity()
        plain: dict[str, Any] = json.loads(json.dumps(identity))
        return plain

    def fit(self) -> Generator[Progress, None, None]:
        """Train to the last step; a generator, so that the caller shows progress and may stop it.

        A checkpoint is written at intervals, at the end, and when the consumer closes the
        generator; never after an error, when an update may be half applied.  Of several
        processes, call :meth:`stop` instead of closing it: all then end after the same step.
        """
        weights = self.network.state_dict()
        self.processes.check_same(lambda: (self.step, weights_digest(weights)))
        if self.processes.main:
            self.output.mkdir(parents=True, exist_ok=True)
        with lock_directory(self.output) if self.processes.main else nullcontext():
            yield from self._loop()

    def stop(self) -> None:
        """End the run with a checkpoint, after this step or the next; for signal handlers, too."""
        self._asked = True

    @property
    def stopping(self) -> bool:
        """Whether the run ends after this step, as all its processes know."""
        return self._agreed or (self._asked and self.processes.count == 1)

    def _loop(self) -> Iterator[Progress]:
        if self.step > self.config.steps:  # of a longer run, which stays as it is
            return
        last_save = time.monotonic()
        self._judge_if_due()
        while self.step < self.config.steps:
            # The state before the first step needs no file: the seed makes it.
            if self.step == self.config.optimizer.decay_start(self.config.steps) > 0:
                self.save()
                if self.processes.main:
                    replace_copy(self.checkpoint, self.before_decay)
            progress = self._advance()
            try:
                yield progress
            except GeneratorExit:
                self.save()
                raise
            if self.stopping:
                break
            self._judge_if_due()
            if time.monotonic() - last_save > 60 * self.config.checkpoint_minutes:
                self.save()
                last_save = time.monotonic()
        self.save()

    def _advance(self) -> Progress:
        start, cpu = time.perf_counter(), time.process_time()
        parts: list[dict[str, torch.Tensor]] = []
        mine, pieces = 0, self.config.pieces
        for piece in self.processes.share(range(self.step * pieces, (self.step + 1) * pieces)):
            rng = generator(self.config.seed, _NOISE, piece)
            for loss, part, count in self.work.losses(self.loader[piece], rng=rng):
                (loss / pieces).backward()
                parts.append(part)
                mine += count
        sums = [sum(float(p[name]) for p in parts) for name in parts[0]]
        middle = time.process_time()
        asked, terms, samples, cpu, *sums = self.processes.sum(
            self.optimizers.parameters, [self._asked, len(parts), mine, middle - cpu, *sums]
        )
        self._agreed = asked > 0
        rate = self.config.optimizer.rate(self.step, self.config.steps)
        norm = self.optimizers.step(rate)
        self.skipped += not self.optimizers.updated(norm, self.step)
        self.average.update(self.step)
        self.step += 1
        elapsed = time.perf_counter() - start
        self.seconds += elapsed
        self.cpu_seconds += cpu + self.processes.count * (time.process_time() - middle)
        self.samples += round(samples)
        losses = {name: total / terms for name, total in zip(parts[0], sums, strict=True)}
        return Progress(self.step, losses, rate, norm, samples / elapsed, self.skipped)

    @contextmanager
    def averaged(self) -> Iterator[Model]:
        """Yield the model with averaged weights, in evaluation mode."""
        self.average.swap()
        self.network.eval()
        try:
            yield self.model
        finally:
            self.network.train()
            self.average.swap()

    def _judge_if_due(self) -> None:
        """Judge samples once per interval; an interrupted judgement is repeated on resuming."""
        every = self.config.evaluation.every
        due = every and not self.step % every and self.step > self.judged
        if not (due and self.judge and self.processes.main):
            return
        self.save()
        table = self.output / "evaluation.csv"
        with self.averaged() as model:
            figures = self.judge(model, generator(self.config.seed, _EVALUATION, self.step))
            if figures.get(self.work.score, 0.0) >= best(table, self.work.score):
                card = self.card() | {"samples": figures}
                model.save(self.output / "best.safetensors", card=card)
        append_csv(table, {"step": self.step, **figures})
        self.judged = self.step
        self.save()

    def card(self) -> dict[str, Any]:
        """Return the facts of the training for the model card."""
        return {
            "name": self.config.name,
            "data": self.store.meta.get("source", ""),
            "training": {
                plural(self.work.unit): len(self.store.indices("train")),
                "steps": self.step,
                "batch": self.config.batch,
                "pieces": self.config.pieces,
                "epochs": round(self.step * self.config.pieces / self.loader.per_epoch, 2),
                "hours": round(self.seconds / 3600, 3),
                "parameters": sum(p.numel() for p in self.network.parameters()),
                "precision": named(self.precision),
                "optimizer": self.config.to_dict()["optimizer"],
                "objective": fitting_weights(describe(self.objective), self.model.process),
                **({"parts": asdict(self.config.parts)} if self.config.parts.share else {}),
            },
        }

    def save(self) -> None:
        """Write the checkpoint and the model with averaged weights, each atomically."""
        if not self.processes.main:
            return
        average = {str(i): v for i, v in enumerate(self.average.values)}
        parts = {"network": self.network.state_dict(), "optimizer": self.optimizers.state()}
        checkpoint.write(self.checkpoint, parts | {"average": average}, self, self.identity())
        with self.averaged() as model:
            model.save(self.output / "model.safetensors", card=self.card())

    def restore(self) -> None:
        """Continue from the checkpoint.

        Raises
        ------
        ModelFileError
            If the checkpoint is damaged or belongs to another run.
        """
        numbers, parts = checkpoint.read(
            self.checkpoint, self.before_decay, self.config, self.identity()
        )
        if not numbers:
            return
        with checkpoint.undamaged(self.checkpoint):
            checkpoint.check_network(self.checkpoint, parts["network"], self.network.state_dict())
            self.network.load_state_dict(parts["network"])
            self.optimizers.load(parts["optimizer"])
            for i, value in enumerate(self.average.values):
                value.copy_(parts["average"][str(i)])
        for name, number in numbers.items():
            setattr(self, name, number)
