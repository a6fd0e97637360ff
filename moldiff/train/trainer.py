"""The only data loop.

    config -> store -> workload -> [batch -> losses -> update -> average]* -> model

All randomness of step k derives from (seed, k), so a checkpoint is the tensors and one number,
and a killed run resumes with bitwise the same result.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from moldiff.cpu import set_threads
from moldiff.errors import ConfigError, ModelFileError, MoldiffError
from moldiff.methods import changes
from moldiff.model import Model
from moldiff.precision import resolve
from moldiff.registry import describe
from moldiff.seeds import generator
from moldiff.storage import read_tensors, replace_copy, write_tensors
from moldiff.text import plural
from moldiff.train.config import TrainConfig
from moldiff.train.optimizer import Average, Optimizers
from moldiff.train.records import append_csv, best, completed, lock_directory
from moldiff.train.workload import Data, Workload, task

__all__ = ["Progress", "Trainer"]

CHECKPOINT_FORMAT = "moldiff-checkpoint-1"
_NOISE, _EVALUATION = 1, 2  # streams of random numbers
_SHORT = 30  # characters of a setting's value in a message
_PATIENCE = 20  # consecutive steps with a non-finite gradient that end a run


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
    """

    def __init__(
        self,
        config: TrainConfig,
        store: Data,
        *,
        judge: Callable[[Any, torch.Generator], dict[str, float]] | None = None,
    ) -> None:
        self.config, self.store, self.judge = config, store, judge
        self.output = Path(config.output)
        self.precision = resolve(config.precision, config.device)
        set_threads(config.threads)
        self.work: Workload = task(config)(config, store)
        self.loader, self.model = self.work.loader, self.work.model
        try:
            self.network = self.model.network.to(config.device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"The device '{config.device}' cannot be used: {error}",
                fix="Use 'cpu', or 'cuda' where torch finds a GPU.",
            ) from error
        self.objective: Any = self.work.objective
        self.optimizers = Optimizers(self.network, config.optimizer)
        self.average = Average(self.network.parameters(), config.optimizer.ema)
        self.step = 0
        self.judged = 0
        self.skipped = self._diverging = 0
        self.seconds = self.cpu_seconds = 0.0
        self.samples = 0
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
        identity = run | {"optimizer": optimizer, "data": data} | model
        identity |= self.work.identity()
        plain: dict[str, Any] = json.loads(json.dumps(identity))
        return plain

    def fit(self) -> Generator[Progress, None, None]:
        """Train to the last step; a generator, so that the caller shows progress and may stop it.

        A checkpoint is written at intervals, at the end, and when the consumer closes the
        generator; never after an error, when an update may be half applied.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        with lock_directory(self.output):
            yield from self._loop()

    def _loop(self) -> Iterator[Progress]:
        if self.step > self.config.steps:  # of a longer run, which stays as it is
            return
        last_save = time.monotonic()
        self._judge_if_due()
        while self.step < self.config.steps:
            # The state before the first step needs no file: the seed makes it.
            if self.step == self.config.optimizer.decay_start(self.config.steps) > 0:
                self.save()
                replace_copy(self.checkpoint, self.before_decay)
            progress = self._advance()
            try:
                yield progress
            except GeneratorExit:
                self.save()
                raise
            self._judge_if_due()
            if time.monotonic() - last_save > 60 * self.config.checkpoint_minutes:
                self.save()
                last_save = time.monotonic()
        self.save()

    def _advance(self) -> Progress:
        start, cpu = time.perf_counter(), time.process_time()
        parts: list[dict[str, torch.Tensor]] = []
        samples = 0
        for piece in range(self.step * self.config.pieces, (self.step + 1) * self.config.pieces):
            rng = generator(self.config.seed, _NOISE, piece)
            for loss, part, count in self.work.losses(self.loader[piece], rng=rng):
                (loss / self.config.pieces).backward()
                parts.append(part)
                samples += count
        rate = self.config.optimizer.rate(self.step, self.config.steps)
        norm = self.optimizers.step(rate)
        self._check_finite(norm)
        self.average.update(self.step)
        self.step += 1
        elapsed = time.perf_counter() - start
        self.seconds += elapsed
        self.cpu_seconds += time.process_time() - cpu
        self.samples += samples
        losses = {name: sum(float(p[name]) for p in parts) / len(parts) for name in parts[0]}
        return Progress(self.step, losses, rate, norm, samples / elapsed, self.skipped)

    def _check_finite(self, norm: float) -> None:
        """Count steps without an update; end the run if it cannot recover."""
        skipped = not math.isfinite(norm)
        self.skipped += skipped
        self._diverging = self._diverging + 1 if skipped else 0
        if self._diverging >= _PATIENCE:
            raise MoldiffError(
                f"The loss was not finite in {_PATIENCE} steps in a row, at step {self.step}.",
                fix="Lower 'lr' of the optimizer; the last checkpoint is untouched.",
            )
        if not skipped and not self.optimizers.finite():
            raise MoldiffError(
                f"The update of step {self.step} made weights that are not finite numbers.",
                fix="The last checkpoint is untouched: the same command goes on from it, with a "
                "lower 'lr' if this happens again.",
            )

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
        if not (self.judge and every) or self.step % every or self.step <= self.judged:
            return
        self.save()
        table = self.output / "evaluation.csv"
        with self.averaged() as model:
            figures = self.judge(model, generator(self.config.seed, _EVALUATION, self.step))
            score = self.work.score
            if figures.get(score, 0.0) >= best(table, score):
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
                "precision": str(self.precision).removeprefix("torch."),
                "optimizer": self.config.to_dict()["optimizer"],
                "objective": self._objective(describe(self.objective)),
            },
        }

    def _objective(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings of the objective, with weights only of fields that the model has."""
        if self.model.process is not None and "weights" in settings:
            fields = self.model.process.processes
            weights = {name: w for name, w in settings["weights"].items() if name in fields}
            settings = {**settings, "weights": weights}
        if isinstance(settings.get("objective"), dict):  # the one inside
            settings = {**settings, "objective": self._objective(settings["objective"])}
        return settings

    def save(self) -> None:
        """Write the checkpoint and the model with averaged weights, each atomically."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"optimizer.{k}": v for k, v in self.optimizers.state().items()}
        tensors |= {f"average.{i}": v for i, v in enumerate(self.average.values)}
        header = {
            "format": CHECKPOINT_FORMAT,
            "identity": json.dumps(self.identity()),
            "step": str(self.step),
            "judged": str(self.judged),
            "steps": str(self.config.steps),
            "decay_start": str(self.config.optimizer.decay_start(self.config.steps)),
            "seconds": repr(self.seconds),
            "cpu_seconds": repr(self.cpu_seconds),
            "samples": str(self.samples),
            "skipped": str(self.skipped),
        }
        write_tensors(self.checkpoint, tensors, header)
        with self.averaged() as model:
            model.save(self.output / "model.safetensors", card=self.card())

    def restore(self) -> None:
        """Continue from the checkpoint.

        Raises
        ------
        ModelFileError
            If the checkpoint is damaged or belongs to another run.
        """
        fix = f"Choose another 'output', or delete '{self.checkpoint}' to start again."
        try:
            header, tensors = read_tensors(self.checkpoint, CHECKPOINT_FORMAT)
        except ModelFileError as error:
            raise ModelFileError(error.what, fix=fix) from error
        try:
            extended = int(header["decay_start"]) < int(header["step"])
            extended &= int(header["steps"]) < self.config.steps
            if extended and self.before_decay.exists():
                header, tensors = read_tensors(self.before_decay, CHECKPOINT_FORMAT)
            identity = completed(json.loads(header["identity"]))
            differences: dict[str, str] = {}  # the first of each group of settings
            for key, values in changes(identity, self.identity()):
                differences.setdefault(key.partition(".")[0], _told(key, values))
            if differences:
                raise ModelFileError(
                    f"'{self.checkpoint}' belongs to another run: different "
                    f"{', '.join(differences.values())}.",
                    fix=fix,
                )
            if extended and int(header["decay_start"]) == 0:  # all of it was decay
                return
            self._load(tensors, fix)
            self.step, self.judged = int(header["step"]), int(header["judged"])
            self.seconds = float(header["seconds"])
            self.cpu_seconds = float(header.get("cpu_seconds", "0"))  # absent in older checkpoints
            self.samples = int(header.get("samples", "0"))
            self.skipped = int(header.get("skipped", "0"))
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelFileError(f"'{self.checkpoint}' is damaged: {error}", fix=fix) from error

    def _load(self, tensors: dict[str, torch.Tensor], fix: str) -> None:
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "optimizer": {}, "average": {}}
        for key, value in tensors.items():
            kind, name = key.split(".", 1)
            parts[kind][name] = value
        for name, value in self.network.state_dict().items():
            found = parts["network"].get(name)
            if found is None or found.shape != value.shape:
                was = "nothing" if found is None else f"the shape {tuple(found.shape)}"
                raise ModelFileError(
                    f"'{self.checkpoint}' is of another network: '{name}' has the shape "
                    f"{tuple(value.shape)} here and {was} there.",
                    fix=f"Train with the code that wrote it, or {fix[0].lower()}{fix[1:]}",
                )
        self.network.load_state_dict(parts["network"])
        self.optimizers.load(parts["optimizer"])
        for i, value in enumerate(self.average.values):
            value.copy_(parts["average"][str(i)])


def _told(key: str, values: tuple[Any, Any]) -> str:
    """A setting that differs, (there, here): with its values if they are short."""
    if any(not isinstance(v, str | int | float) or len(str(v)) > _SHORT for v in values):
        return key.partition(".")[0]
    return "{} ({} there, {} here)".format(key, *values)
