"""Backbones drawn by a model of whole chains, and sequences for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance import with_settings
from moldiff.domain.backbones import backbone_atoms, shown
from moldiff.domain.chains import chain_batch, chain_context
from moldiff.domain.sequences import sequence_batch
from moldiff.model import Model
from moldiff.protein.backbone import AMINO_ACIDS, UNKNOWN
from moldiff.seeds import Generators
from moldiff.sequences.decoding import draw as draw_types
from moldiff.sequences.decoding import log_probabilities

__all__ = ["TOGETHER", "draw", "draw_sequences", "hesitation"]

TOGETHER = 8
"""Chains of one length that are drawn at once."""

_PAIRS = 2_000_000  # of residues, of all sequences that are drawn together: memory

Array = npt.NDArray[np.float64]


@torch.no_grad()
def draw(
    model: Model,
    blueprint: npt.NDArray[np.int64],
    *,
    rng: torch.Generator,
    settings: Mapping[str, Any] | None = None,
    like: npt.NDArray[np.float32] | None = None,
    noise: float = 1.0,
    each: Callable[[], None] = lambda: None,
) -> npt.NDArray[np.float32]:
    """Draw N, CA and C (b, n, 3, 3) of chains in Å; bonds between residues are not exact.

    Parameters
    ----------
    blueprint:
        (b, n) secondary structure that is wanted (`moldiff.protein.secondary.STATES`).
    settings:
        Sampling settings that differ from the model's: ``steps``.
    like, noise:
        A chain (n, 4, 3) in Å to begin with, and the time up to which noise is added to it.
    each:
        Called after every step.
    """
    count, n = blueprint.shape
    denoiser, sampler = with_settings(model.denoiser, {**model.sampling, **(settings or {})})
    process = denoiser.process
    x = process.prior(count, n, rng=rng, context=chain_context(blueprint))
    if like is not None:
        x_0 = chain_batch([like] * count, blueprint)
        start = torch.zeros(count)
        x = process.forward(x_0, start, start + noise, rng=rng, noise=x)
    last: Batch = x
    for state in sampler.trajectory(denoiser, x.to(model.device), rng=rng, start=noise):
        last = state.x
        each()
    seen = shown(last)
    atoms = backbone_atoms(seen["positions"], seen["frames"]).cpu().numpy()
    drawn: npt.NDArray[np.float32] = atoms.astype(np.float32)
    return drawn


def draw_sequences(
    model: Model, atoms: Array, rngs: Sequence[torch.Generator]
) -> tuple[npt.NDArray[np.int64], Array]:
    """Draw sequences for a backbone (n, 4, 3) in Å, one by each generator.

    Returns their amino acids (count, n) and mean log-probabilities (count,) in nats.
    """
    unknown = np.full(len(atoms), UNKNOWN)
    at_once = max(1, _PAIRS // len(atoms) ** 2)
    drawn, probable = [], []
    for first in range(0, len(rngs), at_once):
        rng = Generators(rngs[first : first + at_once])
        x_0 = sequence_batch([atoms.astype(np.float32)], [unknown], len(rng.each)).to(model.device)
        types = draw_types(model, x_0, rng=rng)
        log_p, _ = log_probabilities(model.denoiser, x_0.replace(types=types), rng=rng)
        drawn.append(types.numpy())
        probable.append(log_p.numpy().astype(np.float64))
    return np.concatenate(drawn), np.concatenate(probable)


@torch.no_grad()
def hesitation(model: Model, atoms: Array) -> Array:
    """Return the entropy per residue (b,) of amino acids for backbones (b, n, 4, 3), in nats.

    None is known, so it says how sure a model of sequences is of each by the backbone alone; it is
    log 20 = 3.0 if it knows nothing.
    """
    unknown = np.full(atoms.shape[:2], UNKNOWN)
    x_t = sequence_batch([*atoms.astype(np.float32)], [*unknown], 1).to(model.device)
    logits = model.denoiser(x_t, torch.ones(len(atoms)))["types"][..., :AMINO_ACIDS].double()
    log_p = logits.log_softmax(-1)
    entropy: Array = -(log_p.exp() * log_p).sum(-1).mean(-1).cpu().numpy()
    return entropy
