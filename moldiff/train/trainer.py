"""The only data loop.

    config -> store -> statistics -> model -> [batch -> loss -> update -> average]* -> model

Everything random in step k derives from (seed, k), so a checkpoint is the tensors and
one number, and a run that was killed continues bit for bit as if it had not been.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from moldiff.coupling import Coupling  # noqa: F401  (registers the couplings)
from moldiff.data.store import Store
from moldiff.errors import ConfigError, ModelFileError
from moldiff.model import Model, read_tensors, write_tensors
from moldiff.objective import Objective
from moldiff.registry import build, describe
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.loader import SizeBuckets
from moldiff.train.optimizer import Average, Optimizers
from moldiff.train.statistics import Statistics

__all__ = ["Progress", "Trainer"]

CHECKPOINT_FORMAT = "moldiff-checkpoint-1"
_NOISE, _EVALUATION = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Progress:
    """What a step reports: its number, losses by field, rate, molecules per second."""

    step: int
    losses: dict[str, float]
    rate: float
    norm: float
    speed: float


class Trainer:
    """Trains a model as a configuration says; resumes where its checkpoint stands.

    Parameters
    ----------
    config:
        The run.
    store:
        The prepared data.
    judge:
        Called as ``judge(model, rng)`` at the evaluation interval; returns figures for
        the log.  Injected, because judging molecules is chemistry.
    """

    def __init__(
        self,
        config: TrainConfig,
        store: Store,
        *,
        judge: Callable[[Model, torch.Generator], dict[str, float]] | None = None,
    ) -> None:
        self.config, self.store, self.judge = config, store, judge
        self.output = Path(config.output)
        train = store.indices("train")
        self.loader = SizeBuckets(store, train, batch=config.batch, seed=config.seed)
        torch_seed = generator(config.seed, 0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch_seed.initial_seed()))  # layers' own initialisation
            self.model = self._new_model(Statistics.of(store, train))
        self.model.denoiser.precision = getattr(torch, config.precision)
        try:
            self.network = self.model.network.to(config.device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"The device '{config.device}' cannot be used: {error}",
                fix="Use 'cpu', or 'cuda' where torch finds a GPU.",
            ) from error
        self.objective: Objective = build("objective", config.objective)
        self.optimizers = Optimizers(self.network, config.optimizer)
        self.average = Average(self.network.parameters(), config.optimizer.ema)
        self.step = 0
        self.seconds = 0.0
        if self.checkpoint.exists():
            self.restore()

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return self.output / "checkpoint.safetensors"

    def _new_model(self, statistics: Statistics) -> Model:
        config = self.config
        model = Model.from_config(
            {
                "process": statistics.resolve(config.process),
                "precondition": config.precondition,
                "network": config.network,
                "vocabulary": self.store.vocabulary.to_dict(),
                "sizes": {str(n): w for n, w in statistics.sizes.items()},
                "sampling": config.sampling,
            }
        )
        if config.init is not None:
            first = Model.load(Path(config.init))
            try:
                model.network.load_state_dict(first.network.state_dict())
            except RuntimeError as error:
                raise ModelFileError(
                    f"The weights of '{config.init}' do not fit the network: {error}",
                    fix="Use the network settings of that model, or leave out 'init'.",
                ) from error
        return model

    def fit(self) -> Iterator[Progress]:
        """Train to the last step; a generator, so that bars and stops are its consumers.

        A checkpoint is written at intervals, at the end, and when the consumer closes the
        generator; never after an error, which may have left a half-applied update.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        saved = time.monotonic()
        while self.step < self.config.steps:
            progress = self._advance()
            try:
                yield progress
            except GeneratorExit:
                self.save()
                raise
            if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
            every = self.config.evaluation.every
            if self.judge and every and self.step % every == 0:
                self._evaluate(self.judge)
        self.save()

    def _advance(self) -> Progress:
        start = time.perf_counter()
        batch = self.loader[self.step].to(self.config.device)
        rng = generator(self.config.seed, _NOISE, self.step)
        loss, parts = self.objective(self.model.denoiser, batch, rng=rng)
        loss.backward()
        rate = self.config.optimizer.rate(self.step, self.config.steps)
        norm = self.optimizers.step(rate)
        self.average.update(self.step)
        self.step += 1
        elapsed = time.perf_counter() - start
        self.seconds += elapsed
        losses = {name: float(value) for name, value in parts.items()}
        return Progress(self.step, losses, rate, norm, batch.graphs / elapsed)

    @contextmanager
    def averaged(self) -> Iterator[Model]:
        """Give the model with averaged weights, in evaluation mode, for a while."""
        self.average.swap()
        self.network.eval()
        try:
            yield self.model
        finally:
            self.network.train()
            self.average.swap()

    def _evaluate(self, judge: Callable[[Model, torch.Generator], dict[str, float]]) -> None:
        self.save()
        with self.averaged() as model:
            figures = judge(model, generator(self.config.seed, _EVALUATION, self.step))
        append_csv(self.output / "evaluation.csv", {"step": self.step, **figures})

    def card(self) -> dict[str, Any]:
        """Return what is known of the training for the model card."""
        return {
            "name": self.config.name,
            "data": self.store.meta.get("source", ""),
            "training": {
                "molecules": len(self.store.indices("train")),
                "steps": self.step,
                "batch": self.config.batch,
                "epochs": round(self.step / self.loader.per_epoch, 2),
                "hours": round(self.seconds / 3600, 3),
                "parameters": sum(p.numel() for p in self.network.parameters()),
                "precision": self.config.precision,
                "optimizer": self.config.to_dict()["optimizer"],
                "objective": describe(self.objective),
            },
        }

    def save(self) -> None:
        """Write the checkpoint and the model with averaged weights, each atomically."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"optimizer.{k}": v for k, v in self.optimizers.state().items()}
        tensors |= {f"average.{i}": v for i, v in enumerate(self.average.values)}
        header = {
            "format": CHECKPOINT_FORMAT,
            "config": json.dumps(self.model.config()),
            "step": str(self.step),
            "seconds": repr(self.seconds),
        }
        write_tensors(self.checkpoint, tensors, header)
        with self.averaged() as model:
            model.save(self.output / "model.safetensors", card=self.card())

    def restore(self) -> None:
        """Continue from the checkpoint.

        Raises
        ------
        ModelFileError
            If it is damaged or belongs to another model.
        """
        header, tensors = read_tensors(self.checkpoint, CHECKPOINT_FORMAT)
        fix = f"Choose another 'output', or delete '{self.checkpoint}' to begin anew."
        if json.loads(header["config"]) != json.loads(json.dumps(self.model.config())):
            raise ModelFileError(
                f"The checkpoint '{self.checkpoint}' is of a run with other settings or data.",
                fix=fix,
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "optimizer": {}, "average": {}}
        for key, value in tensors.items():
            kind, name = key.split(".", 1)
            parts[kind][name] = value
        try:
            self.network.load_state_dict(parts["network"])
            self.optimizers.load(parts["optimizer"])
            for i, value in enumerate(self.average.values):
                value.copy_(parts["average"][str(i)])
            self.step, self.seconds = int(header["step"]), float(header["seconds"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelFileError(f"'{self.checkpoint}' is damaged: {error}", fix=fix) from error


def append_csv(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a table, with a heading if it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists() or path.stat().st_size == 0
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
