"""Watch the predictions of a denoiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.time import Time

__all__ = ["Watched"]


@dataclass(frozen=True, eq=False)
class Watched(Guidance):
    """Call ``callback`` after every prediction; the inner denoiser's predictions are unchanged."""

    denoiser: Denoiser
    callback: Callable[[], None]

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        self.callback()
        return prediction
