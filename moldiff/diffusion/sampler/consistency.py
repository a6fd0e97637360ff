"""The stepper of consistency models."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.sampler.base import State, Stepper, full, predict, reverse
from moldiff.registry import register

__all__ = ["Consistency"]


@register("stepper", "consistency", cites={"song2023": "algorithm 1"})
@dataclass(frozen=True)
class Consistency(Stepper):
    """Predict the clean batch and add fresh noise up to s: 1, 2 or 4 steps.

    For denoisers that predict the end of the trajectory through x_t instead of the mean over
    the possible origins of x_t; these are exact in one step, and further steps only correct
    their errors.  Fresh noise is wrong for couplings other than ``independent``; sample a model
    trained with one by ``ancestral``, eta = 0, which keeps its noise.

    Source: Song et al., "Consistency Models" (2023), algorithm 1.
    """

    @property
    def stochastic(self) -> bool:
        return True

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x0_hat = predict(denoiser, state.x, state.t, state.prediction)
        # Classes are drawn from the prediction and noised; so are rotations and angles.
        x = reverse(denoiser, state.x, x0_hat, (state.t, s), eta=1.0, churn=1.0, rng=rng)
        # A reverse step of coordinates depends on x_t even at eta = 1; fresh noise does not.
        coordinates = denoiser.process.only(denoiser.process.gaussian())
        fresh = coordinates.forward(x0_hat, full(x, 0.0), full(x, s), rng=rng)
        return x.replace(**fresh), x0_hat
