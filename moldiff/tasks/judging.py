"""Evaluating models in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from moldiff.tasks.sampling import generate

if TYPE_CHECKING:
    import torch

    from moldiff.model import Model
    from moldiff.train import TrainConfig

__all__ = ["judge"]


def judge(
    config: TrainConfig, *, progress: Callable[[float], None] | None = None
) -> Callable[[Model, torch.Generator], dict[str, float]]:
    """Return what judges a model in training: samples, and the cheap metrics of them.

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
