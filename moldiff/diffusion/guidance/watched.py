"""Look on while a denoiser is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product

__all__ = ["Watched"]


@dataclass(frozen=True, eq=False)
class Watched(Denoiser):
    """Call ``seen`` after every prediction; the predictions are those of the denoiser inside."""

    denoiser: Denoiser
    seen: Callable[[], None]

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside."""
        return self.denoiser.process

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        self.seen()
        return prediction
