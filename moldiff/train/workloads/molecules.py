"""Training a generator of molecules."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance.condition import dropped
from moldiff.diffusion.objective import Between, Denoising, Objective, Reflow
from moldiff.errors import ConfigError
from moldiff.generation.sampling import sampled
from moldiff.model import Model, read_header
from moldiff.models import bundled_models, find_model
from moldiff.parallel import Progress
from moldiff.precision import resolve
from moldiff.registry import describe, register, settings
from moldiff.seeds import generator
from moldiff.storage import weights_digest
from moldiff.train.conditions import Labels
from moldiff.train.config import TrainConfig
from moldiff.train.data import molecule_store, prepare_molecules
from moldiff.train.loader import Levels, RefinedBatches, SizeBuckets
from moldiff.train.orientation import randomly_oriented
from moldiff.train.statistics import Statistics
from moldiff.train.workload import (
    Figures,
    Loss,
    Say,
    Workload,
    batches,
    build_objective,
    training_batches,
)
from moldiff.train.workloads.check import check
from moldiff.train.workloads.latents import load_codec, resolve_latent
from moldiff.train.workloads.pairs import Pair, TeacherPairs

__all__ = ["Molecules"]


@register("task", "molecules")
class Molecules(Workload):
    """Generation of molecules: one loss per batch of molecules of one size."""

    score = "strict_validity"
    unit, samples = "molecule", "molecules"
    options = frozenset({"conditions", "parts", "refined", "balance", "method"})
    loader: SizeBuckets | RefinedBatches | TeacherPairs
    objective: Objective

    def __init__(self, config: TrainConfig, data: Store) -> None:
        train = data.indices("train")
        self.config = config
        properties, self.drop = config.conditions.properties, config.conditions.drop
        labels = Labels(data, properties, train) if properties else None
        self.loader, self.refined = _loader(config, data, labels)
        elements = np.array(data.vocabulary.elements)
        self.alike = torch.from_numpy(elements[:, None] == elements)
        self.model = _new_model(config, data, Statistics.of(data, train), labels)
        # Report a wrong setting before training, not after.
        sampled(self.model, self.model.denoiser, config.sampling)
        name = _teacher_name(config)
        self.teacher = None if name is None else _teacher(name, self.model, config)
        self.objective = build_objective(
            config,
            "denoiser",
            guide=None if self.teacher is None else self.teacher.denoiser,
            sampled=functools.partial(sampled, self.model),
        )
        if self.teacher is not None and isinstance(self.objective, Reflow):
            self.loader = TeacherPairs(
                self.objective,
                self.teacher,
                Path(config.output) / "pairs",
                batch=config.piece_size,
                seed=config.seed,
                pieces=config.pieces,
            )

    @classmethod
    def prepare(
        cls, config: TrainConfig, say: Say, *, jobs: int = 1, progress: Progress | None = None
    ) -> None:
        prepare_molecules(config, say, jobs=jobs, progress=progress)

    @classmethod
    def open(cls, config: TrainConfig, say: Say) -> Store:
        return molecule_store(config)

    @classmethod
    def check(cls, config: TrainConfig) -> list[str]:
        build_objective(config, "denoiser")
        return check(config)

    def identity(self) -> dict[str, Any]:
        teacher = {} if self.teacher is None else {"teacher": self.teacher.digest}
        codec = _codec_digest(self.model)
        latent = {} if codec is None else {"codec weights": codec}
        conditional = bool(self.config.conditions.properties)
        drop = {"drop": self.drop} if conditional else {}
        parts = {"parts": asdict(self.config.parts)} if self.config.parts.share else {}
        return teacher | latent | parts | self.refined | drop | batches(self.config)

    def losses(self, batch: Batch | Levels | Pair, *, rng: torch.Generator) -> Iterator[Loss]:
        objective = self.objective
        if isinstance(batch, Levels):
            assert isinstance(objective, Denoising)  # `check` refuses others
            times = Between(objective.times, batch.low, batch.high)
            batch, objective = batch.batch, replace(objective, times=times)
        x_0, noise = batch if isinstance(batch, Pair) else (batch, None)
        x_0 = x_0.to(self.config.device)
        noise = None if noise is None else noise.to(self.config.device)
        if not self.model.network.symmetry.equivariant:
            x_0, noise = randomly_oriented(x_0, noise, rng=rng)
        if "conditions" in x_0.context:
            x_0 = x_0.given(conditions=dropped(x_0.context["conditions"], self.drop, rng=rng))
        if self.config.parts.share and noise is None:
            x_0 = self.config.parts.given(x_0, alike=self.alike, rng=rng)
        if not isinstance(batch, Pair):  # a latent teacher's pairs are latents already
            x_0 = self.model.encode(x_0, rng=rng)
        loss, parts = objective(self.model.denoiser, x_0, rng=rng, noise=noise)
        yield self.loader.weight(x_0) * loss, parts, x_0.graphs

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        """Evaluate samples by fast metrics.

        The figures: strict validity; molecule stability by EDM's look-up; uniqueness among valid
        molecules, and valid x unique, by the predicted graph; molecules per second.
        """
        from moldiff.generation.api import generate
        from moldiff.metrics import graph, lookup
        from moldiff.metrics.sample import samples

        start = time.perf_counter()
        generated = generate(
            self.config.evaluation.samples,
            model=model,
            seed=int(torch.randint(1 << 62, (), generator=rng)),
            steps=self.config.evaluation.steps,
            progress=progress,
        )
        speed = len(generated) / (time.perf_counter() - start)
        items = samples(item.mol for item in generated)
        graphs, lookups = graph.measure(items, None), lookup.measure(items, None)
        values = {
            "strict_validity": graphs.strict_validity().value,
            "lookup_stability": float("nan")
            if isinstance(lookups, str)
            else lookups.molecule_stability().value,
            "unique": graphs.uniqueness().value,
            "valid_unique": graphs.valid_unique().value,
            "molecules_per_second": speed,
        }
        return {"samples": len(generated)} | {k: round(v, 4) for k, v in values.items()}


def _loader(
    config: TrainConfig, data: Store, labels: Labels | None
) -> tuple[SizeBuckets | RefinedBatches, dict[str, Any]]:
    """Return the batches of a run, and the part of its identity that names refined molecules."""

    def buckets(store: Store, labels: Labels | None) -> SizeBuckets:
        return training_batches(SizeBuckets, config, store, labels=labels, balance=config.balance)

    plain = buckets(data, labels)
    if not config.refined.data:
        return plain, {}
    fine = Store.open(config.refined.data)
    if fine.vocabulary != data.vocabulary:
        raise ConfigError(
            f"The vocabulary of '{config.refined.data}' is not that of '{config.data}'.",
            fix="Prepare both by the same command.",
        )
    fine_labels = labels and Labels(fine, labels.names, fine.indices("train"), labels.conditions)
    identity = asdict(config.refined) | {"data": fine.meta["sha256"]}
    return RefinedBatches(plain, buckets(fine, fine_labels), config.refined), {"refined": identity}


def _teacher_name(config: TrainConfig) -> str | None:
    return settings(config.objective).get("teacher")


def _teacher(name: str, student: Model, config: TrainConfig) -> Model:
    """Load a teacher in the precision of the training."""
    teacher = Model.load(find_model(name), device=config.device, domain="molecules")
    setting = _disagreement(teacher, student)
    if setting is not None:
        fitting = [
            k
            for k, path in bundled_models().items()
            if read_header(path)[0]["domain"]["name"] == student.subject
            and not _disagreement(Model.load(path), student)
        ]
        names = f" (of those bundled: {', '.join(fitting)})" if fitting else ""
        raise ConfigError(
            f"The {setting} of the teacher '{name}' is not that of the model to be trained.",
            fix=f"{_AGREE[setting]}, or name another with --teacher{names}.",
        )
    return teacher.replace(precision=resolve(config.precision, config.device))


#: Fix for each disagreement.  A process also depends on the data: their spread and classes.
_AGREE = {
    "vocabulary": "Train a teacher on the same data first",
    "process": "Train a teacher on the same data and with the same 'process' first",
    "conditions": "Give both the same 'conditions'",
    "codec": "Give both the same codec (--codec)",
}


def _disagreement(teacher: Model, student: Model) -> str | None:
    """Return the setting in which teacher and student disagree, or None."""
    of_teacher, of_student = teacher.domain.config(), student.domain.config()
    same = {
        "vocabulary": of_teacher["vocabulary"] == of_student["vocabulary"],
        "process": teacher.config()["process"] == student.config()["process"],
        "conditions": of_teacher.get("conditions") == of_student.get("conditions"),
        "codec": _codec_digest(teacher) == _codec_digest(student),
    }
    return next((setting for setting, agrees in same.items() if not agrees), None)


def _codec_digest(model: Model) -> str | None:
    return None if model.codec is None else weights_digest(model.codec.state_dict())


def _new_model(
    config: TrainConfig, store: Store, statistics: Statistics, labels: Labels | None
) -> Model:
    conditions = () if labels is None else labels.conditions
    codec = None if config.codec is None else load_codec(config, store)
    process = config.process if codec is None else resolve_latent(config, codec, store)
    described = {} if codec is None else {"codec": describe(codec)}
    model = Model.from_config(
        {
            "domain": {
                "name": "molecules",
                "vocabulary": store.vocabulary.to_dict(),
                "sizes": {str(n): w for n, w in statistics.sizes.items()},
                "conditions": [c.to_config() for c in conditions],
                "parts": bool(config.parts.share),
            },
            **described,
            "process": statistics.resolve(process),
            "precondition": config.precondition,
            "network": config.network,
            "sampling": config.sampling,
        },
        seed=generator(config.seed, 0).initial_seed(),
    )
    if codec is not None and model.codec is not None:
        model.codec.load_state_dict(codec.state_dict())
        model.codec.to(config.device)
    return model.replace(precision=resolve(config.precision, config.device))
