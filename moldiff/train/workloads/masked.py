r"""The objective of sequence models: the hidden residues of a backbone, given the others.

The share of residues that are hidden is the time t, uniform on (0, 1), so every number of known
residues is as frequent, and those that are known are drawn at random: the network learns the
probability of a residue given the backbone and any part of the sequence.  A mask that hides shows
by itself how much is hidden, and the best prediction does not depend on the time (Ou et al., "Your
Absorbing Discrete Diffusion Secretly Models the Conditional Distributions of Clean Data", 2025), so
the network is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from moldiff.configuration import Range, check_fields
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.objective import Kumaraswamy, Loss, Objective, Times
from moldiff.domain.sequences import sequence_batch
from moldiff.protein.backbone import UNKNOWN, Backbone
from moldiff.registry import register

__all__ = ["Masked"]


@register(
    "objective",
    "masked",
    cites={
        "austin2021": "section 3.1: absorbing states",
        "sahoo2024": "the loss is that of masked models",
        "ou2025": "no time",
        "dauparas2022": "noise of the backbone in training",
    },
)
@dataclass(frozen=True)
class Masked(Objective):
    """Cross-entropy of hidden residues, in nats; all of a batch count alike.

    Parameters
    ----------
    times:
        Distribution of the share of residues that are hidden.
    levels:
        Sequences of each backbone, hidden anew, which share one encoding of it.
    jitter:
        Largest standard deviation of the noise of atoms along an axis, Å.  Each backbone has one,
        drawn uniformly from 0: crystal structures tell amino acids by details that no designed
        backbone has (ProteinMPNN is trained with 0.02 to 0.3 Å).
    """

    trains: ClassVar[str] = "denoiser of sequences"

    times: Times = Kumaraswamy()
    levels: Annotated[int, Range(1)] = 2
    jitter: Annotated[float, Range(0)] = 0.1

    def __post_init__(self) -> None:
        check_fields(self, "the objective")

    def batch(self, chains: Sequence[Backbone], *, rng: torch.Generator) -> Batch:
        """Return backbones of one length, their atoms shaken, with ``levels`` copies of types."""
        atoms = np.stack([chain.atoms for chain in chains])
        size = self.jitter * torch.rand(len(chains), 1, 1, 1, generator=rng)
        atoms = atoms + (size * torch.randn(atoms.shape, generator=rng)).numpy()
        return sequence_batch(list(atoms), [chain.types for chain in chains], self.levels)

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        """Return the loss, and its detached parts: itself, and the share recovered."""
        x_0 = trained.encoded(x_0)
        t = self.times.sample(x_0.graphs, rng=rng).to(x_0.device)
        x_t = trained.process.forward(x_0, torch.zeros_like(t), t, rng=rng, noise=noise)
        native, logits = x_0["types"], trained(x_t, t)["types"]
        hidden = (x_t["types"] == UNKNOWN) & (native != UNKNOWN)
        each = F.cross_entropy(logits.flatten(0, 1), native.flatten(), reduction="none")
        count = hidden.sum().clamp_min(1)
        loss = (each.view(native.shape) * hidden).sum() / count
        right = ((logits.argmax(-1) == native) & hidden).sum() / count
        return loss, {"nats": loss.detach(), "recovered": right}
