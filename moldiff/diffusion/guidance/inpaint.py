"""Inpainting: replace predictions of known entries by their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import SURE, Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.time import Time

__all__ = ["Inpaint"]


@dataclass(frozen=True, eq=False)
class Inpaint(Guidance):
    """Fix some fields to known classes, (sites,) per field, the same in every graph.

    The reverse kernel of a jump process draws from q(x_s | x_t, x_0 = known) when the
    prediction is certain, so known entries follow their exact bridge and end exact.
    An entry of -1 is free.
    """

    denoiser: Denoiser
    known: Mapping[str, Tensor]

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        fixed: dict[str, Tensor] = {}
        for field, values in self.known.items():
            logits = prediction[field]
            values = values.to(logits.device)
            one_hot = torch.nn.functional.one_hot(values.clamp_min(0), logits.shape[-1])
            fixed[field] = torch.where((values >= 0).unsqueeze(-1), SURE * one_hot, logits)
        return prediction.replace(**fixed)
