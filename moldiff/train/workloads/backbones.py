"""Training the backbone model on gaps cut out of chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from moldiff.completion.trials import figures, trials
from moldiff.data.backbones import BackboneStore
from moldiff.domain.backbones import LONGEST, NEIGHBOURS, gap_batch
from moldiff.model import Model
from moldiff.protein.gap import FLANK, Gap, cut, window
from moldiff.registry import register
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
from moldiff.train.workloads.frame_aligned import FrameAligned

__all__ = ["Backbones", "GapBatches", "Piece"]

_LOOPS = 0.5  # share of gaps that must be loops


class Piece(NamedTuple):
    """Gaps of one length, and the atoms (n, 4, 3) that are missing in each, Å."""

    gaps: list[Gap]
    atoms: list[npt.NDArray[np.float32]]


class GapBatches:
    """Endless batches of gaps of one length, drawn at random; each a function of seed and step.

    Chains are drawn by their residues, and lengths so that long gaps are as frequent as short
    ones.  Half of the gaps are loops, as most that are really missing; the other half may be
    anything.
    """

    def __init__(
        self, store: BackboneStore, indices: npt.NDArray[np.int64], *, batch: int, seed: int
    ) -> None:
        sizes = np.asarray(store.sizes)[indices].astype(float)
        room = sizes >= LONGEST + 2 * FLANK
        if not room.any():
            raise store.lacks("chain to train on")
        self.store, self.batch, self.seed = store, batch, seed
        self.indices, sizes = indices[room], sizes[room]
        self._shares = np.cumsum(sizes) / sizes.sum()
        self.per_epoch = -(-len(self.indices) // batch)

    def __getitem__(self, step: int) -> Piece:
        """Return the gaps of a step."""
        rng = np.random.default_rng([self.seed, step])
        length = int(rng.integers(1, LONGEST + 1))
        piece = Piece([], [])
        for _ in range(self.batch):
            chain = self.store[int(self.indices[np.searchsorted(self._shares, rng.random())])]
            start = window(chain, length, rng, loop=bool(rng.random() < _LOOPS))
            piece.gaps.append(cut(chain, start, length, neighbours=NEIGHBOURS))
            piece.atoms.append(chain.atoms[start : start + length])
        return piece


@register("task", "backbones")
class Backbones(Workload):
    """The backbone model: noised residues of gaps of one length per step."""

    score = "success"
    unit, samples = "chain", "gaps"
    store = BackboneStore
    loader: GapBatches
    objective: FrameAligned

    def __init__(self, config: TrainConfig, data: BackboneStore) -> None:
        self.config, self.data = config, data
        self.loader = training_batches(GapBatches, config, data)
        self.model = untrained(config, "backbones")
        self.objective = build_objective(config, "denoiser of backbones")

    def losses(self, batch: Piece, *, rng: torch.Generator) -> Iterator[Loss]:
        x_0 = gap_batch(*batch, self.objective.levels).to(self.config.device)
        loss, parts = self.objective(self.model.denoiser, x_0, rng=rng)
        yield loss, parts, x_0.graphs

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        chains = validation_sample(self.data, self.config.evaluation.samples).tolist()
        seed, steps = rng.initial_seed(), self.config.evaluation.steps
        done = []
        for trial in trials(model, self.data, chains, steps=steps, seed=seed):
            done.append(trial)
            progress(1.0)
        return figures(done)
