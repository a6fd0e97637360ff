"""The interface of a training task.

`Trainer` steps, saves, resumes and logs; everything that differs between tasks is in a
`Workload`: opening the data, checking the settings, batches, losses and evaluation.  Each task
registers its class under its name, the ``task`` of a configuration.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from moldiff.data.ragged import RaggedStore
from moldiff.diffusion.objective import Objective
from moldiff.errors import ConfigError, ModelFileError
from moldiff.model import Model, check_domain
from moldiff.models import find_model
from moldiff.parallel import Progress
from moldiff.precision import resolve
from moldiff.registry import build, describe, names, registered
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig

__all__ = [
    "Data",
    "Figures",
    "Loss",
    "Say",
    "Workload",
    "batches",
    "build_objective",
    "task",
    "training_batches",
    "untrained",
    "validation_sample",
]

Loss = tuple[Tensor, dict[str, Tensor], int]
"""A loss to differentiate, its detached parts, and the number of samples it averages."""

Figures = dict[str, float]
"""Figures of an evaluation, by column of the log."""

Say = Callable[[str], None]
"""Called with a line for the user."""


class Data(Protocol):
    """A data set.

    ``meta`` describes it: ``sha256`` of its content, and optionally its ``source`` in words and the
    counts of ``rejected`` entries by reason.
    """

    path: Path
    meta: dict[str, Any]

    def indices(self, split: str) -> Any:
        """Indices of a split."""


class Batches(Protocol):
    """Batches by step number."""

    per_epoch: int

    def __getitem__(self, step: int) -> Any: ...


B = TypeVar("B", bound=Batches)


class Workload(ABC):
    """A training task with its data; constructed as ``Workload(config, data)``."""

    score: ClassVar[str]
    """The figure of an evaluation that selects the best model."""
    unit: ClassVar[str]
    """Noun for one entry of the data."""
    samples: ClassVar[str]
    """Plural noun for the training samples counted per second."""
    store: ClassVar[type[RaggedStore]]
    """What the data is, for a task that opens it as it is."""
    options: ClassVar[frozenset[str]] = frozenset()
    """Of what some tasks take: "conditions", "parts", "refined", "balance", "method"."""

    relatives: ClassVar[frozenset[str]] = frozenset()
    """Other domains whose networks have the same layers, so that ``init`` may name a model."""

    config: TrainConfig
    model: Model
    loader: Batches
    objective: Any

    @abstractmethod
    def __init__(self, config: TrainConfig, data: Any) -> None: ...

    @classmethod
    def prepare(
        cls, config: TrainConfig, say: Say, *, jobs: int = 1, progress: Progress | None = None
    ) -> None:
        """Prepare the data of a run if it is a user's file, before it is opened.

        ``jobs`` is the number of processes; ``progress`` is called as ``progress(stage, done,
        total)``.  By default there is nothing to prepare.
        """
        return

    @classmethod
    def open(cls, config: TrainConfig, say: Say) -> Data:
        """Open the data of a run: a ``store``, if the task has one."""
        return cls.store.open(config.data)

    @classmethod
    def check(cls, config: TrainConfig) -> list[str]:
        """Refuse incompatible settings; return warnings about doubtful ones.

        Runs before any data is read; the ``ConfigError`` names the settings that work.
        """
        return []

    def initialise(self) -> None:
        """Start from the weights of the model that ``init`` names, if it names one.

        Called by the trainer of a new run.

        Raises
        ------
        InputError, ModelFileError
            If there is no such model, or it has another subject or another network.
        """
        if (name := self.config.init) is not None:
            path = find_model(name)
            first = Model.load(path)
            if first.subject not in self.relatives:
                check_domain(path, first, self.model.subject)
            _load_weights(self.model.network, first.network, name)

    def identity(self) -> dict[str, Any]:
        """Return what else, besides the settings, must not change when a run is resumed."""
        return {}

    @abstractmethod
    def losses(self, batch: Any, *, rng: torch.Generator) -> Iterator[Loss]:
        """Yield losses whose gradients add up to the gradient of the batch."""

    @abstractmethod
    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        """Evaluate a model; ``progress`` receives the samples done since its last call."""


def task(config: TrainConfig) -> type[Workload]:
    """Return the class of a run's task.

    Raises
    ------
    ConfigError
        If the task is unknown, or does not take an option that the configuration uses.
    """
    workload: type[Workload] = registered("task", config.task)
    used = {
        "conditions": bool(config.conditions.properties),
        "parts": bool(config.parts.share),
        "refined": bool(config.refined.data),
        "balance": config.balance == "cost",
    }
    for option in (option for option, is_used in used.items() if is_used):
        require(config, option, option)
    return workload


def require(config: TrainConfig, option: str, name: str) -> None:
    """Raise ``ConfigError`` unless a run's task takes an option, which the user knows by a name."""
    if option not in registered("task", config.task).options:  # type: ignore[attr-defined]
        takers = [
            task
            for task in names("task")
            if option in registered("task", task).options  # type: ignore[attr-defined]
        ]
        raise ConfigError(
            f"The task '{config.task}' takes no '{name}'.",
            fix=f"Leave it out; tasks that take it: {', '.join(takers)}.",
        )


def build_objective(config: TrainConfig, trains: str, **context: Any) -> Any:
    """Build the objective of a run and check what it ``trains``.

    Raises
    ------
    ConfigError
        If it cannot be built, or trains something else; the error lists those that fit.
    """
    objective: Objective = build("objective", config.objective, **context)
    if objective.trains == trains:
        return objective
    kinds = {name: registered("objective", name) for name in names("objective")}
    fitting = [name for name, kind in kinds.items() if kind.trains == trains]  # type: ignore[attr-defined]
    raise ConfigError(
        f"The objective '{describe(objective)['name']}' trains a {objective.trains}; the task "
        f"'{config.task}' trains a {trains}.",
        fix=f"Objectives for it: {', '.join(fitting)}.",
    )


def training_batches(kind: Callable[..., B], config: TrainConfig, data: Data, **settings: Any) -> B:
    """Return the batches of a run, of examples to train on; ``kind`` has other ``settings``."""
    train = data.indices("train")
    return kind(data, train, batch=config.piece_size, seed=config.seed, **settings)


def untrained(config: TrainConfig, domain: str) -> Model:
    """Return the untrained model of a run whose network predicts what is clean."""
    model = Model.from_config(
        {
            "domain": {"name": domain},
            "precondition": "clean",
            "process": config.process,
            "network": config.network,
            "sampling": config.sampling,
        },
        seed=generator(config.seed, 0).initial_seed(),
    )
    return model.replace(precision=resolve(config.precision, config.device))


def batches(config: TrainConfig) -> dict[str, Any]:
    """Return the part of a run's identity that says how its batches of molecules are made."""
    return {} if config.balance == "molecules" else {"batch": [config.batch, config.balance]}


# Weights whose initial values have no effect: those of conditions that a model gets now, of the
# types that a model of backbones is to find, and of what whole chains are told besides.
_NEW = re.compile(
    r"embedding\.(conditions|tokens)\.|interaction\.stack\.\d+\.cross\.|between\.|letters\.|"
    r"blueprint\.|before\."
)
# Weights that only models that move something have.
_LEFT = re.compile(r"moving$|steps\.")


def _load_weights(module: nn.Module, first: nn.Module, name: str) -> None:
    """Initialise a module with the weights of another, read from the file ``name``.

    Raises
    ------
    ModelFileError
        If they do not fit.
    """
    try:
        own = module.state_dict()
        weights = {k: v for k, v in first.state_dict().items() if k in own or not _LEFT.match(k)}
        # New conditions may be added to a model: their initial weights do not change its output.
        new = {k: v for k, v in own.items() if _NEW.match(k)}
        module.load_state_dict({**new, **weights})
    except RuntimeError as error:
        mismatch = " ".join(str(error).split("\n\t")[1:2])[:160]  # the first kind of several
        raise ModelFileError(
            f"The weights of '{name}' do not fit the network: {mismatch}",
            fix="Use the network settings of that model, or leave out 'init'.",
        ) from error


def validation_sample(data: Data, count: int) -> npt.NDArray[np.int64]:
    """Return the indices of ``count`` validation examples, the same in every evaluation."""
    return np.random.default_rng(0).permutation(data.indices("validation"))[:count]
