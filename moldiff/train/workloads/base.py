"""What a task of training promises.

`Trainer` knows how to step, save, resume and log; everything that differs between tasks is a
`Workload`: the data it opens, what it refuses, its batches and losses, how it judges a model.
A task is one file; it registers its class under the name that configurations give as ``task``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from moldiff.diffusion.objective import Objective
from moldiff.errors import ConfigError, ModelFileError
from moldiff.model import Model
from moldiff.registry import build, describe, names, registered
from moldiff.train.config import TrainConfig

__all__ = [
    "Data",
    "Figures",
    "Loss",
    "Say",
    "Workload",
    "build_objective",
    "load_weights",
    "task",
]

Loss = tuple[Tensor, dict[str, Tensor], int]
"""A loss to differentiate, its detached parts, and how many samples it is the mean of."""

Figures = dict[str, float]
"""What a judgement measured, by column of the log."""

Say = Callable[[str], None]
"""Called with a line for the user."""


class Data(Protocol):
    """A data set.

    ``meta`` says what it is: ``sha256`` of its content, and, where there are any, its ``source`` in
    words and how many things were ``rejected`` for which reason.
    """

    path: Path
    meta: dict[str, Any]

    def indices(self, split: str) -> Any:
        """Indices of a split."""


class Batches(Protocol):
    """Batches by step number."""

    per_epoch: int

    def __getitem__(self, step: int) -> Any: ...


class Workload(ABC):
    """A task to train for, on its data.  Made as ``Workload(config, data)``."""

    score: ClassVar[str]
    """The figure of a judgement that says which model is best."""
    unit: ClassVar[str]
    """One thing of the data, in words."""
    samples: ClassVar[str]
    """What is counted per second, in words."""
    use: ClassVar[str]
    """The command that uses the model; ``{model}`` stands for its file."""

    config: TrainConfig
    model: Model
    loader: Batches
    objective: Any

    @abstractmethod
    def __init__(self, config: TrainConfig, data: Any) -> None: ...

    @classmethod
    @abstractmethod
    def open(cls, config: TrainConfig, say: Say) -> Data:
        """Open the data of a run; prepare it first, where it is a file of the user's."""

    @classmethod
    def check(cls, config: TrainConfig) -> list[str]:
        """Refuse settings that do not go together; return warnings about doubtful ones.

        What can be said before any data is read (``ConfigError`` says what does go).
        """
        return []

    def identity(self) -> dict[str, Any]:
        """Return what beside the settings must not change between the parts of a run."""
        return {}

    @abstractmethod
    def losses(self, batch: Any, *, rng: torch.Generator) -> Iterator[Loss]:
        """Yield losses whose gradients add up to that of the batch."""

    @abstractmethod
    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        """Measure a model; ``progress`` is called with the samples done since the last call."""


def task(config: TrainConfig) -> type[Workload]:
    """Return the class of a run's task.

    Raises
    ------
    ConfigError
        If there is no such task.
    """
    found: type[Workload] = registered("task", config.task)
    return found


def build_objective(config: TrainConfig, trains: str, **context: Any) -> Any:
    """Build the objective of a run, for what the run trains.

    Raises
    ------
    ConfigError
        If it cannot be built, or trains something else; with the objectives that fit.
    """
    made: Objective = build("objective", config.objective, **context)
    if made.trains == trains:
        return made
    kinds = {name: registered("objective", name) for name in names("objective")}
    fit = [name for name, kind in kinds.items() if kind.trains == trains]  # type: ignore[attr-defined]
    raise ConfigError(
        f"The objective '{describe(made)['name']}' trains a {made.trains}; the task "
        f"'{config.task}' trains a {trains}.",
        fix=f"Objectives for it: {', '.join(fit)}.",
    )


_NEW = "embedding.conditions."  # weights whose initial values change nothing


def load_weights(module: nn.Module, first: nn.Module, name: str) -> None:
    """Begin a module with the weights of another, read from the file ``name``.

    Raises
    ------
    ModelFileError
        If they do not fit.
    """
    try:
        known = first.state_dict()
        # A model may learn to be asked for something that it did not know: it begins as it was.
        new = {k: v for k, v in module.state_dict().items() if k.startswith(_NEW)}
        module.load_state_dict({**new, **known})
    except RuntimeError as error:
        misfit = " ".join(str(error).split("\n\t")[1:2])[:160]  # the first kind of several
        raise ModelFileError(
            f"The weights of '{name}' do not fit the network: {misfit}",
            fix="Use the network settings of that model, or leave out 'init'.",
        ) from error
