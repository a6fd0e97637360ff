"""Training the sequence model on whole chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from moldiff.data.backbones import BackboneStore
from moldiff.model import Model
from moldiff.protein.backbone import Backbone
from moldiff.registry import register
from moldiff.sequences.trials import figures, trials
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
from moldiff.train.workloads.masked import Masked

__all__ = ["ChainBatches", "Sequences"]


class ChainBatches:
    """Endless batches of chains of one length; each a function of seed and step.

    Chains are put in order of length, those of one length at random, and divided into batches of
    about as many residues as ``batch`` chains have on average.  All of a batch are cut to the
    shortest of them, which leaves out some residues at the ends.  An epoch has every chain once.
    """

    def __init__(
        self, store: BackboneStore, indices: npt.NDArray[np.int64], *, batch: int, seed: int
    ) -> None:
        if not len(indices):
            raise store.lacks("chain to train on")
        self.store, self.indices, self.seed = store, indices, seed
        self.sizes = np.asarray(store.sizes)[indices].astype(int)
        residues = batch * self.sizes.mean()
        lengths = np.sort(self.sizes)
        # A batch is as costly as its number of chains times the length of its shortest.
        self.starts, at = [0], 0
        while at < len(lengths):
            at += max(1, round(residues / lengths[at]))
            self.starts.append(min(at, len(lengths)))
        self.per_epoch = len(self.starts) - 1

    def __getitem__(self, step: int) -> list[Backbone]:
        """Return the chains of a step."""
        epoch, number = divmod(step, self.per_epoch)
        rng = np.random.default_rng([self.seed, epoch])
        shuffled = rng.permutation(len(self.indices))
        order = shuffled[np.argsort(self.sizes[shuffled], kind="stable")]
        number = rng.permutation(self.per_epoch)[number]
        chosen = order[self.starts[number] : self.starts[number + 1]]
        length, rng = self.sizes[chosen].min(), np.random.default_rng([self.seed, epoch, number])
        chains = []
        for index in self.indices[chosen].tolist():
            chain = self.store[index]
            first = int(rng.integers(len(chain) - length + 1))
            part = slice(first, first + length)
            chains.append(Backbone(chain.atoms[part], chain.types[part], chain.regular[part]))
        return chains


@register("task", "sequence")
class Sequences(Workload):
    """The sequence model: types of whole chains, a random share of them hidden."""

    score = "recovery"
    unit, samples = "chain", "residues"
    store = BackboneStore
    relatives = frozenset({"backbones"})
    loader: ChainBatches
    objective: Masked

    def __init__(self, config: TrainConfig, data: BackboneStore) -> None:
        self.config, self.data = config, data
        self.loader = training_batches(ChainBatches, config, data)
        self.model = untrained(config, "sequences")
        self.objective = build_objective(config, "denoiser of sequences")

    def losses(self, batch: list[Backbone], *, rng: torch.Generator) -> Iterator[Loss]:
        x_0 = self.objective.batch(batch, rng=rng).to(self.config.device)
        loss, parts = self.objective(self.model.denoiser, x_0, rng=rng)
        yield loss, parts, x_0["types"].numel()

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        chains = validation_sample(self.data, self.config.evaluation.samples).tolist()
        settings = {"steps": self.config.evaluation.steps}
        done = []
        for trial in trials(model, self.data, chains, settings=settings, seed=rng.initial_seed()):
            done.append(trial)
            progress(1.0)
        return figures(done)
