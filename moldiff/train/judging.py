"""Evaluating models in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moldiff.generation.api import generate

if TYPE_CHECKING:
    import torch

    from moldiff.docking.judge.distances import LikelihoodModel
    from moldiff.docking.model import PoseModel
    from moldiff.model import Model
    from moldiff.train import TrainConfig
    from moldiff.train.workloads.base import Data
    from moldiff.train.workloads.latents import CodecModel

__all__ = ["judge"]


Judge = Callable[[Any, "torch.Generator"], dict[str, float]]


def judge(
    config: TrainConfig,
    *,
    store: Data | None = None,
    progress: Callable[[float], None] | None = None,
) -> Judge:
    """Return what judges a model in training: of molecules, a codec, poses: as the task says."""
    if config.task == "poses":
        return _poses(config, store, progress)
    if config.task == "likelihood":
        return _likelihood(config, store, progress)
    if config.task == "codec":
        return _codec(config, store, progress)
    return _molecules(config, progress)


def _poses(config: TrainConfig, store: Any, progress: Callable[[float], None] | None) -> Judge:
    """Judge by poses drawn of validation complexes, see `moldiff.train.workloads.poses.trials`."""

    def figures(model: PoseModel, rng: torch.Generator) -> dict[str, float]:
        from moldiff.train.workloads.poses import trials

        tick = (lambda: None) if progress is None else (lambda: progress(1.0))
        return trials(
            model,
            store,
            complexes=config.evaluation.samples,
            steps=config.evaluation.steps,
            rng=rng,
            tick=tick,
        )

    return figures


def _likelihood(config: TrainConfig, store: Any, progress: Callable[[float], None] | None) -> Judge:
    """Judge by ranking perturbed poses, see `moldiff.train.workloads.distances.trials`."""

    def figures(model: LikelihoodModel, rng: torch.Generator) -> dict[str, float]:
        from moldiff.train.workloads.distances import trials

        tick = (lambda: None) if progress is None else (lambda: progress(1.0))
        return trials(model, store, complexes=config.evaluation.samples, tick=tick)

    return figures


def _codec(config: TrainConfig, store: Any, progress: Callable[[float], None] | None) -> Judge:
    """Judge by reconstructing validation molecules, see `moldiff.train.workloads.codecs.trials`."""

    def figures(model: CodecModel, rng: torch.Generator) -> dict[str, float]:
        from moldiff.train.workloads.codecs import trials

        tick = (lambda: None) if progress is None else (lambda: progress(1.0))
        return trials(model, store, molecules=config.evaluation.samples, rng=rng, tick=tick)

    return figures


def _molecules(config: TrainConfig, progress: Callable[[float], None] | None) -> Judge:
    """Judge by samples and their cheap metrics.

    The figures: strict validity; molecules stable by EDM's look-up; distinct among the
    valid ones and valid x distinct by the predicted graph; molecules per second.
    """

    def figures(model: Model, rng: torch.Generator) -> dict[str, float]:
        import time

        import torch

        from moldiff.metrics import graph, lookup
        from moldiff.metrics.sample import samples

        start = time.perf_counter()
        generated = generate(
            config.evaluation.samples,
            model=model,
            seed=int(torch.randint(1 << 62, (), generator=rng)),
            steps=config.evaluation.steps,
            progress=progress,
        )
        speed = len(generated) / (time.perf_counter() - start)
        items = samples(item.mol for item in generated)
        judged, looked = graph.measure(items, None), lookup.measure(items, None)
        values = {
            "strict_validity": judged.strict_validity().value,
            "lookup_stability": float("nan")
            if isinstance(looked, str)
            else looked.molecule_stability().value,
            "unique": judged.uniqueness().value,
            "valid_unique": judged.valid_unique().value,
            "molecules_per_second": speed,
        }
        return {"samples": len(generated)} | {k: round(v, 4) for k, v in values.items()}

    return figures
