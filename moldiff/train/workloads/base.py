"""What the data loop trains: a model, its batches, their losses.

`Trainer` knows how to step, save, resume and log; everything that differs between tasks is a
`Workload`.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from moldiff.bundled import bundled_models, find_model
from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance.condition import dropped
from moldiff.diffusion.objective import Objective, Reflow
from moldiff.errors import ConfigError, ModelFileError
from moldiff.generation.sampling import sampled
from moldiff.model import Model
from moldiff.registry import build, describe
from moldiff.seeds import generator
from moldiff.storage import weights_digest
from moldiff.train.conditions import Labels
from moldiff.train.config import TrainConfig
from moldiff.train.loader import SizeBuckets
from moldiff.train.orientation import turned
from moldiff.train.statistics import Statistics
from moldiff.train.workloads.latents import CodecModel, resolve_latent
from moldiff.train.workloads.pairs import Pair, TeacherPairs

__all__ = ["Data", "Loss", "Molecules", "Trainable", "Workload", "load_weights"]

Loss = tuple[Tensor, dict[str, Tensor], int]
"""A loss to differentiate, its detached parts, and how many samples it is the mean of."""


class Data(Protocol):
    """A prepared data set."""

    path: Path
    meta: dict[str, Any]

    @property
    def sizes(self) -> Any:
        """Numbers of atoms."""

    def __len__(self) -> int: ...
    def indices(self, split: str) -> Any:
        """Indices of a split."""


class Trainable(Protocol):
    """A model as the data loop sees it."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def config(self) -> dict[str, Any]:
        """Return the plain configuration the model is built from."""

    def save(self, path: Path, *, card: Mapping[str, Any] | None = None) -> None:
        """Write the model file."""


class Batches(Protocol):
    """Batches by step number."""

    per_epoch: int

    def __getitem__(self, step: int) -> Any: ...


class Workload(ABC):
    """A task to train for."""

    score: ClassVar[str]
    """The column of the evaluation that says which model is best."""

    model: Trainable
    loader: Batches
    objective: Any

    def identity(self) -> dict[str, Any]:
        """Return what beside the settings must not change between the parts of a run."""
        return {}

    @abstractmethod
    def losses(self, batch: Any, *, rng: torch.Generator) -> Iterator[Loss]:
        """Yield losses whose gradients add up to that of the batch."""


class Molecules(Workload):
    """Generation of molecules: one loss per batch of molecules of one size."""

    score = "strict_validity"
    model: Model
    loader: SizeBuckets | TeacherPairs

    def __init__(self, config: TrainConfig, store: Store) -> None:
        train = store.indices("train")
        self.device = config.device
        wanted, self.drop = config.conditions.properties, config.conditions.drop
        labels = Labels(store, wanted, train) if wanted else None
        self.loader = SizeBuckets(store, train, batch=config.batch, seed=config.seed, labels=labels)
        self.model = _new_model(config, store, Statistics.of(store, train), labels)
        # A wrong setting is told before training, not after.
        sampled(self.model, self.model.denoiser, config.sampling)
        self.model.denoiser.precision = getattr(torch, config.precision)
        objective: Objective = build("objective", config.objective)
        self.objective = objective.sampled_by(functools.partial(sampled, self.model))
        name = getattr(self.objective, "teacher", None)
        self.teacher = None if name is None else _teacher(name, self.model, config)
        if config.init is not None:  # now: a teacher of other data says more than its weights
            load_weights(self.model, Model.load(find_model(config.init)), config.init)
        if self.teacher is None:
            return
        self.objective = self.objective.taught_by(self.teacher.denoiser)
        if isinstance(self.objective, Reflow):
            self.loader = TeacherPairs(
                self.objective,
                self.teacher,
                Path(config.output) / "pairs",
                batch=config.batch,
                seed=config.seed,
            )

    def identity(self) -> dict[str, Any]:
        teacher = {} if self.teacher is None else {"teacher": self.teacher.digest}
        codec = _codec_digest(self.model)
        latent = {} if codec is None else {"codec weights": codec}
        return teacher | latent | ({"drop": self.drop} if self.model.conditions else {})

    def losses(self, batch: Batch | Pair, *, rng: torch.Generator) -> Iterator[Loss]:
        x_0, noise = batch if isinstance(batch, Pair) else (batch, None)
        x_0 = x_0.to(self.device)
        noise = None if noise is None else noise.to(self.device)
        if not self.model.network.equivariant:
            x_0, noise = turned(x_0, noise, rng=rng)
        denoiser, objective = self.model.denoiser, self.objective
        if "conditions" in x_0:
            given = dropped(x_0["conditions"], self.drop, rng=rng)
            x_0, denoiser = x_0.without("conditions"), denoiser.given(given)
            if self.teacher is not None:
                objective = objective.taught_by(self.teacher.denoiser.given(given))
        if not isinstance(batch, Pair):  # pairs are latents already, if the teacher makes them
            x_0 = self.model.encode(x_0, rng=rng)
        yield *objective(denoiser, x_0, rng=rng, noise=noise), x_0.graphs


def _teacher(name: str, student: Model, config: TrainConfig) -> Model:
    """Load a teacher, as precise as the student is trained."""
    teacher = Model.load(find_model(name), device=config.device)
    what = _strange(teacher, student)
    if what is not None:
        fitting = [
            k for k, path in bundled_models().items() if not _strange(Model.load(path), student)
        ]
        names = f" (of those bundled: {', '.join(fitting)})" if fitting else ""
        raise ConfigError(
            f"The {what} of the teacher '{name}' is not that of the model to be trained.",
            fix=f"{_AGREE[what]}, or name another with --teacher{names}.",
        )
    teacher.denoiser.precision = getattr(torch, config.precision)
    return teacher


#: What makes the two agree.  A process depends on the data too: their spread, their classes.
_AGREE = {
    "vocabulary": "Train a teacher on the same data first",
    "process": "Train a teacher on the same data and with the same 'process' first",
    "conditions": "Give both the same 'conditions'",
    "codec": "Give both the same codec (--codec)",
}


def _strange(teacher: Model, student: Model) -> str | None:
    """In what the two cannot speak of the same things; None: they can."""
    same = {
        "vocabulary": dict(teacher.vocabulary) == dict(student.vocabulary),
        "process": teacher.process.to_config() == student.process.to_config(),
        "conditions": teacher.conditions == student.conditions,
        "codec": _codec_digest(teacher) == _codec_digest(student),
    }
    return next((what for what, agrees in same.items() if not agrees), None)


def _codec_digest(model: Model) -> str | None:
    return None if model.codec is None else weights_digest(model.codec.state_dict())


def _new_model(
    config: TrainConfig, store: Store, statistics: Statistics, labels: Labels | None
) -> Model:
    conditions = () if labels is None else labels.conditions
    codec = None if config.codec is None else CodecModel.of_run(config, store)
    process = config.process if codec is None else resolve_latent(config, codec, store)
    described = {} if codec is None else {"codec": describe(codec.network)}
    model = Model.from_config(
        {
            **described,
            "process": statistics.resolve(process),
            "precondition": config.precondition,
            "network": config.network,
            "vocabulary": store.vocabulary.to_dict(),
            "sizes": {str(n): w for n, w in statistics.sizes.items()},
            "sampling": config.sampling,
            "conditions": [c.to_config() for c in conditions],
        },
        seed=generator(config.seed, 0).initial_seed(),
    )
    if codec is not None and model.codec is not None:
        model.codec.load_state_dict(codec.network.state_dict())
        model.codec.to(config.device)
    return model


_NEW = "embedding.conditions."  # weights whose initial values change nothing


def load_weights(model: Trainable, first: Trainable, name: str) -> None:
    """Begin a model with the weights of another, read from the file ``name``.

    Raises
    ------
    ModelFileError
        If they do not fit.
    """
    try:
        known = first.network.state_dict()
        # A model may learn to be asked for something that it did not know: it begins as it was.
        new = {k: v for k, v in model.network.state_dict().items() if k.startswith(_NEW)}
        model.network.load_state_dict({**new, **known})
    except RuntimeError as error:
        misfit = " ".join(str(error).split("\n\t")[1:2])[:160]  # the first kind of several
        raise ModelFileError(
            f"The weights of '{name}' do not fit the network: {misfit}",
            fix="Use the network settings of that model, or leave out 'init'.",
        ) from error
