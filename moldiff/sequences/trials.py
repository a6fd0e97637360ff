"""Trials of a sequence model: native backbones, and what it makes of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moldiff.data.backbones import BackboneStore
from moldiff.domain.sequences import sequence_batch
from moldiff.model import Model
from moldiff.protein.backbone import UNKNOWN
from moldiff.seeds import generator
from moldiff.sequences.decoding import draw, log_probabilities

__all__ = ["Trial", "figures", "trials"]


@dataclass(frozen=True)
class Trial:
    """A domain that was given a sequence.

    Attributes
    ----------
    chain, residues:
        Its number in the store, and how many residues of it have a known amino acid.
    recovery:
        Share of these that the designed sequence has as well.
    nats:
        Mean of -log p per residue of the native sequence (`moldiff.sequences.decoding`).
    seconds:
        CPU-seconds of the design.
    """

    chain: int
    residues: int
    recovery: float
    nats: float
    seconds: float


def trials(
    model: Model,
    store: BackboneStore,
    chains: Iterable[int],
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Iterator[Trial]:
    """Design one sequence for each of some backbones of a store, and yield the trials.

    ``settings`` are sampling settings that differ from the model's.
    """
    for index in chains:
        chain, rng = store[index], generator(seed, index)
        x_0 = sequence_batch([chain.atoms], [chain.types], 1)
        begin = time.process_time()
        designed = draw(model, x_0, rng=rng, settings=settings)[0].numpy()
        seconds = time.process_time() - begin
        nats, _ = log_probabilities(model.denoiser, x_0.to(model.device), rng=rng)
        known = chain.types != UNKNOWN
        recovery = float((designed == chain.types)[known].mean())
        yield Trial(index, int(known.sum()), recovery, -float(nats), seconds)


def figures(done: Sequence[Trial]) -> dict[str, float]:
    """Return the figures of trials.

    ``recovery`` and ``median``: mean and median over domains of the share of residues recovered,
    at the temperature of the trials; ``perplexity``: exp of the mean over all residues of -log p of
    the native one given the backbone, in any order (`moldiff.sequences.decoding`).
    """
    if not done:
        return {}
    recovery = np.array([trial.recovery for trial in done])
    sizes = [trial.residues for trial in done]
    nats = np.average([trial.nats for trial in done], weights=sizes)
    values = {
        "samples": len(done),
        "recovery": recovery.mean(),
        "median": np.median(recovery),
        "perplexity": np.exp(nats),
    }
    return {name: round(float(value), 4) for name, value in values.items()}
