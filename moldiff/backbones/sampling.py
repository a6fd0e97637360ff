"""Backbones drawn by a model of whole chains, and sequences for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.time import Clean
from moldiff.domain.backbones import backbone_atoms, shown
from moldiff.domain.chains import chain_batch, chain_context
from moldiff.domain.sequences import sequence_batch
from moldiff.model import Model
from moldiff.protein.backbone import AMINO_ACIDS, UNKNOWN
from moldiff.seeds import Generators
from moldiff.sequences.decoding import draw as draw_types
from moldiff.sequences.decoding import log_probabilities

__all__ = ["TOGETHER", "Given", "draw", "draw_sequences", "hesitation"]

TOGETHER = 8
"""Chains of one length that are drawn at once."""

_PAIRS = 2_000_000  # of residues, of all sequences that are drawn together: memory

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Given:
    """What drawing begins with besides noise: whole chains, or motifs that stay.

    Attributes
    ----------
    atoms:
        (b, n, 4, 3) in Å; of residues outside of a motif any.
    motif:
        (b, n) which residues stay; None where all get noise.
    noise:
        The time up to which noise is added, in (0, 1].
    """

    atoms: npt.NDArray[np.float32]
    motif: npt.NDArray[np.bool_] | None = None
    noise: float = 1.0

    @classmethod
    def chains(cls, atoms: npt.NDArray[np.float32], count: int, noise: float) -> Given:
        """Return copies of a chain (n, 4, 3) to which noise is added."""
        return cls(np.stack([atoms] * count), noise=noise)

    @classmethod
    def motifs(cls, atoms: npt.NDArray[np.float32], layouts: npt.NDArray[np.int64]) -> Given:
        """Return motifs (k, 4, 3), of which ``layouts`` (b, n) says where; -1 elsewhere."""
        return cls(atoms[layouts], layouts >= 0)  # new residues stand where any one does

    @property
    def centre(self) -> npt.NDArray[np.float32]:
        """(b, 1, 1, 3) the centre of C-alpha of motifs; 0 of chains, which have no place."""
        if self.motif is None:
            return np.zeros((len(self.atoms), 1, 1, 3), np.float32)
        weight = (self.motif / self.motif.sum(1, keepdims=True))[:, :, None]
        centre: npt.NDArray[np.float32] = (self.atoms[:, :, 1] * weight).sum(1)[:, None, None]
        return centre.astype(np.float32)


@torch.no_grad()
def draw(
    model: Model,
    blueprint: npt.NDArray[np.int64],
    *,
    rng: torch.Generator,
    settings: Mapping[str, Any] | None = None,
    given: Given | None = None,
    each: Callable[[], None] = lambda: None,
) -> npt.NDArray[np.float32]:
    """Draw N, CA and C (b, n, 3, 3) of chains in Å; bonds between residues are not exact.

    Parameters
    ----------
    blueprint:
        (b, n) secondary structure that is wanted (`moldiff.protein.secondary.STATES`).
    settings:
        Sampling settings that differ from the model's: ``steps``.
    given:
        What to begin with.  Around a motif chains are drawn where it is, others are centred.
    each:
        Called after every step.
    """
    count, n = blueprint.shape
    denoiser, sampler = with_settings(model.denoiser, {**model.sampling, **(settings or {})})
    process = denoiser.process
    start = 1.0 if given is None else given.noise
    if given is None:
        x = process.prior(count, n, rng=rng, context=chain_context(blueprint))
    elif given.motif is not None:
        x = process.start(chain_batch(list(given.atoms), blueprint, given.motif), rng=rng)
    else:
        x_0, clean = chain_batch(list(given.atoms), blueprint), torch.zeros(count)
        x = process.forward(x_0, clean, clean + start, rng=rng)
    last: Batch = x
    for state in sampler.trajectory(denoiser, x.to(model.device), rng=rng, start=start):
        last = state.x
        each()
    seen = shown(last)
    atoms = backbone_atoms(seen["positions"], seen["frames"]).cpu().numpy()
    drawn: npt.NDArray[np.float32] = atoms.astype(np.float32)
    return drawn if given is None else drawn + given.centre


def draw_sequences(
    model: Model,
    atoms: Array,
    rngs: Sequence[torch.Generator],
    known: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], Array]:
    """Draw sequences for a backbone (n, 4, 3) in Å, one by each generator.

    ``known`` (n,) amino acids stay; those to draw are `UNKNOWN`.  Returns amino acids (count, n)
    and the mean log-probabilities (count,) of those drawn, in nats.
    """
    clean = torch.from_numpy(known != UNKNOWN).unsqueeze(0)
    at_once = max(1, _PAIRS // len(atoms) ** 2)
    drawn, probable = [], []
    for first in range(0, len(rngs), at_once):
        rng = Generators(rngs[first : first + at_once])
        x_0 = sequence_batch([atoms.astype(np.float32)], [known], len(rng.each)).to(model.device)
        given = x_0.given(clean=Clean({"types": clean})) if clean.any() else x_0
        types = draw_types(model, given, rng=rng)
        free = ~clean.expand(types.shape)
        log_p, _ = log_probabilities(model.denoiser, x_0.replace(types=types), rng=rng, free=free)
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
