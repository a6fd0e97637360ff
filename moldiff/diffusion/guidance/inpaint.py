"""Keep what is known: predictions of known entries are replaced by their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product

__all__ = ["Inpaint"]

_SURE = 30.0  # logit of a known class; the others have 0


@dataclass(frozen=True, eq=False)
class Inpaint(Denoiser):
    """Fix some fields to known classes, (sites,) per field, the same in every graph.

    The reverse kernel of a jump process draws from q(x_s | x_t, x_0 = known) when the
    prediction is certain, so known entries follow their exact bridge and end exact.
    An entry of -1 is free.
    """

    denoiser: Denoiser
    known: Mapping[str, Tensor]

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside."""
        return self.denoiser.process

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        fixed: dict[str, Tensor] = {}
        for field, values in self.known.items():
            logits = prediction[field]
            values = values.to(logits.device)
            one_hot = torch.nn.functional.one_hot(values.clamp_min(0), logits.shape[-1])
            fixed[field] = torch.where((values >= 0).unsqueeze(-1), _SURE * one_hot, logits)
        return prediction.replace(**fixed)
