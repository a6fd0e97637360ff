"""Training the pose model on protein-ligand complexes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moldiff.data.complexes import Complex, ComplexStore
from moldiff.data.decoys import DecoyStore
from moldiff.docking.proposals import sample_poses
from moldiff.domain.poses import MARGIN
from moldiff.geometry.tensors import symmetric_rmsd
from moldiff.model import Model
from moldiff.registry import register
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.workload import (
    Figures,
    Loss,
    Workload,
    build_objective,
    training_batches,
    untrained,
    validation_sample,
)
from moldiff.train.workloads.displacement import Displacement, example

__all__ = ["DRAWS", "ComplexBatches", "Poses", "trials"]

DRAWS = 8
"""Number of poses drawn for each validation complex."""

_GOOD = 2.0  # Å


class ComplexBatches:
    """Endless batches of complexes: each epoch is a permutation, a function of seed and epoch."""

    def __init__(
        self,
        store: ComplexStore | DecoyStore,
        indices: npt.NDArray[np.int64],
        *,
        batch: int,
        seed: int,
    ) -> None:
        if not len(indices):
            raise store.lacks("complex to train on")
        self.store, self.indices, self.batch, self.seed = store, indices, batch, seed
        self.per_epoch = -(-len(indices) // batch)

    @functools.lru_cache(maxsize=2)  # noqa: B019  (one loader lives as long as its run)
    def epoch(self, number: int) -> npt.NDArray[np.int64]:
        """Return the order of the complexes in an epoch."""
        return np.random.default_rng([self.seed, number]).permutation(self.indices)

    def __getitem__(self, step: int) -> list[Any]:
        """Return the entries of a step: complexes, or decoys."""
        number, position = divmod(step, self.per_epoch)
        chosen = self.epoch(number)[position * self.batch : (position + 1) * self.batch]
        return [self.store[int(i)] for i in chosen]


@register("task", "poses")
class Poses(Workload):
    """The docking model: noised poses of several complexes per step, one loss per complex."""

    score = "success"
    unit, samples = "complex", "poses"
    store = ComplexStore
    loader: ComplexBatches
    objective: Displacement

    def __init__(self, config: TrainConfig, data: ComplexStore) -> None:
        self.config, self.data = config, data
        self.loader = training_batches(ComplexBatches, config, data)
        self.model = untrained(config, "poses")
        self.objective = build_objective(config, "denoiser of poses")

    def losses(self, batch: list[Complex], *, rng: torch.Generator) -> Iterator[Loss]:
        for complex_ in batch:
            x_0 = self.objective.draw(complex_, device=self.config.device, rng=rng)
            loss, parts = self.objective(self.model.denoiser, x_0, rng=rng)
            yield loss / len(batch), parts, x_0.graphs

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        return trials(
            model,
            self.data,
            complexes=self.config.evaluation.samples,
            steps=self.config.evaluation.steps,
            rng=rng,
            tick=lambda: progress(1.0),
        )


@torch.no_grad()
def trials(
    model: Model,
    store: ComplexStore,
    *,
    complexes: int,
    steps: int,
    rng: torch.Generator,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, float]:
    """Draw `DRAWS` poses of each of some validation complexes, as in docking.

    Returns
    -------
    dict
        ``success``: fraction of draws within 2 Å of the crystal pose (symmetry-corrected, heavy
        atoms, no alignment); ``oracle``: fraction of complexes with such a draw; ``near``: fraction
        of draws within 4 Å; ``rmsd``: median in Å; ``centroid``: median error of the centroid in Å.
    """
    chosen = validation_sample(store, complexes)
    rmsd, off = [], []
    for index in chosen:
        tick()
        # The boxes are the same in every evaluation; the noise differs.
        bound = example(
            store[int(index)], jitter=2.0, margin=(MARGIN, MARGIN), rng=generator(0, int(index))
        ).to(model.device)
        poses = sample_poses(model, bound.context(), DRAWS, rng=rng, steps=steps)
        x = bound.kinematics.place(poses)
        rmsd.append(symmetric_rmsd(x, bound.crystal, bound.symmetry))
        off.append((x.mean(1) - bound.crystal.mean(0)).norm(dim=-1))
    return _figures(torch.stack(rmsd), torch.stack(off)) if rmsd else {}


def _figures(rmsd: Tensor, off: Tensor) -> dict[str, float]:
    figures = {
        "success": (rmsd < _GOOD).float().mean(),
        "oracle": (rmsd.amin(1) < _GOOD).float().mean(),
        "near": (rmsd < 2 * _GOOD).float().mean(),
        "rmsd": rmsd.median(),
        "centroid": off.median(),
    }
    return {"samples": rmsd.numel()} | {k: round(float(v), 4) for k, v in figures.items()}
