"""Training the model of whole backbones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from moldiff.backbones.quality import radius
from moldiff.backbones.trials import figures, trials
from moldiff.data.backbones import BackboneStore
from moldiff.domain.chains import LONGEST, SHORTEST, chain_batch
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.protein.backbone import Backbone
from moldiff.protein.secondary import HIDDEN, secondary
from moldiff.registry import register
from moldiff.train.config import TrainConfig
from moldiff.train.parts import Parts
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

__all__ = ["JUDGED", "Chains", "WindowBatches", "motif"]

JUDGED = (50, 60, 70)
"""Residues of chains that are drawn to judge a model."""

_COMPACT = 1.08  # largest radius of gyration of a window, in units of `radius`
_SEGMENTS = 4  # of a motif at most
_TRIES, _CHAINS = 8, 6  # windows tried of a chain, and chains, until one is so compact
_HIDDEN, _PARTLY = 0.25, 0.25  # shares of blueprints that are not told, and of which parts are not


class Piece(NamedTuple):
    """Windows of one length; the blueprints and motifs (b, n) that are told of them, if any are."""

    chains: list[Backbone]
    blueprint: npt.NDArray[np.int64]
    motif: npt.NDArray[np.bool_] | None


class WindowBatches:
    """Endless batches of compact windows of one length; each a function of seed and step.

    Chains are drawn by their residues.  Of a longer chain a window is taken that is as compact as
    a globular chain of its length, if some tries find one.
    """

    def __init__(
        self,
        store: BackboneStore,
        indices: npt.NDArray[np.int64],
        *,
        batch: int,
        seed: int,
        parts: Parts | None = None,
    ) -> None:
        sizes = np.asarray(store.sizes)[indices].astype(int)
        if sizes.max(initial=0) < SHORTEST:
            raise store.lacks(f"chain of {SHORTEST} residues or more to draw")
        self.store, self.batch, self.seed = store, batch, seed
        self.parts = parts or Parts()
        self.indices, self.sizes = indices, sizes
        self.longest = min(LONGEST, int(sizes.max()))
        self.per_epoch = -(-len(indices) // batch)

    def __getitem__(self, step: int) -> Piece:
        """Return the windows of a step."""
        rng = np.random.default_rng([self.seed, step])
        length = int(rng.integers(SHORTEST, self.longest + 1))
        chains = self.windows(length, self.batch, rng)
        states = np.stack([_states_given(chain, rng) for chain in chains])
        if rng.random() >= self.parts.share:
            return Piece(chains, states, None)
        return Piece(chains, states, np.stack([motif(length, self.parts, rng) for _ in chains]))

    def windows(self, length: int, count: int, rng: np.random.Generator) -> list[Backbone]:
        """Draw windows of a length."""
        long = self.sizes >= length
        usable, shares = self.indices[long], np.cumsum(self.sizes[long])
        pieces = []
        for _ in range(count):
            best, least = None, np.inf
            for u in (rng.random(_CHAINS) * shares[-1]).tolist():
                chain = self.store[int(usable[np.searchsorted(shares, u, side="right")])]
                part, size = _compact(chain, length, rng)
                if size < least:
                    best, least = (chain, part), size
                if least < _COMPACT:
                    break
            assert best is not None
            chain, part = best
            pieces.append(Backbone(chain.atoms[part], chain.types[part], chain.regular[part]))
        return pieces


def _compact(chain: Backbone, length: int, rng: np.random.Generator) -> tuple[slice, float]:
    """The most compact of some windows of a chain, and its size."""
    starts = rng.integers(len(chain) - length + 1, size=_TRIES).tolist()
    sizes = [radius(chain.atoms[start : start + length, 1]) for start in starts]
    best = int(np.argmin(sizes))
    return slice(starts[best], starts[best] + length), sizes[best]


def _states_given(chain: Backbone, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The secondary structure of a chain: all of it, none, or that of some segments."""
    states = secondary(chain.atoms)
    kind = rng.random()
    if kind < _HIDDEN:
        states[:] = HIDDEN
    elif kind < _HIDDEN + _PARTLY:
        segment = np.cumsum(np.diff(states, prepend=states[0]) != 0)
        states[(rng.random(segment[-1] + 1) < rng.random())[segment]] = HIDDEN
    return states


def motif(length: int, parts: Parts, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw which residues of a chain are given: a segment of it, or two to four apart."""
    count = int(rng.integers(2, _SEGMENTS + 1)) if rng.random() < parts.two else 1
    given = round(length * rng.uniform(parts.smallest, parts.largest))
    given = min(max(given, count), length - count - 1)
    sizes = 1 + _split(given - count, count, rng)
    gaps = _split(length - given - (count - 1), count + 1, rng)
    gaps[1:-1] += 1
    mask = np.zeros(length, bool)
    start = 0
    for gap, size in zip(gaps[:-1].tolist(), sizes.tolist(), strict=True):
        start += gap
        mask[start : start + size] = True
        start += size
    return mask


def _split(total: int, parts: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Split a number into parts of 0 or more, all ways being as likely."""
    bars = np.sort(rng.choice(total + parts - 1, parts - 1, replace=False))
    ends = np.concatenate([[-1], bars, [total + parts - 1]])
    return np.diff(ends).astype(np.int64) - 1


@register("task", "chains")
class Chains(Workload):
    """The model of whole backbones: all residues of compact windows are noised."""

    score = "score"
    unit, samples = "chain", "residues"
    options = frozenset({"parts"})
    store = BackboneStore
    relatives = frozenset({"backbones"})
    loader: WindowBatches
    objective: FrameAligned

    def __init__(self, config: TrainConfig, data: BackboneStore) -> None:
        self.config, self.data = config, data
        self.loader = training_batches(WindowBatches, config, data, parts=config.parts)
        self.model = untrained(config, "chains")
        self.objective = build_objective(config, "denoiser of backbones")
        if self.objective.coupling.across:
            raise ConfigError(
                "The noise of chains is not exchanged: what is told of one is not true of another.",
                fix="Write coupling: rotated.",
            )

    def identity(self) -> dict[str, Any]:
        return {"parts": asdict(self.config.parts)} if self.config.parts.share else {}

    def losses(self, batch: Piece, *, rng: torch.Generator) -> Iterator[Loss]:
        atoms = [chain.atoms for chain in batch.chains]
        x_0 = chain_batch(atoms, batch.blueprint, batch.motif)
        x_0 = x_0.to(self.config.device)
        loss, parts = self.objective(self.model.denoiser, x_0, rng=rng)
        yield loss, parts, x_0["trace"].shape[0] * x_0["trace"].shape[1]

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        count, seed = self.config.evaluation.samples, self.config.seed
        chosen = validation_sample(self.data, count)
        source = WindowBatches(self.data, chosen, batch=count, seed=seed)
        draws = np.random.default_rng(0)
        lengths = [min(n, source.longest) for n in JUDGED]
        natives = [source.windows(n, -(-count // len(lengths)), draws) for n in lengths]
        steps = self.config.evaluation.steps
        return figures(trials(model, natives, rng=rng, steps=steps, progress=progress))
