"""Steppers that also move within a noise level, leaving its distribution unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from moldiff.configuration import Range, Share
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler.base import State, Stepper, full, predict, reverse
from moldiff.registry import register

__all__ = ["Annealed", "Corrector", "Langevin"]


class Corrector(Stepper):
    """A stepper that corrects the batch at each noise level that it reaches.

    Attributes
    ----------
    corrections:
        Number of corrections per level, each with an evaluation of the network.
    size:
        Length of a move of coordinates along the score, in units of sigma^2.
    redraw:
        Fraction by which classes, rotations and angles are redrawn.
    """

    corrections: int
    size: float
    redraw: float

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def evaluations(self) -> int:  # type: ignore[override]
        """Network evaluations per step."""
        return 1 + self.corrections

    def refusal(self, process: Product) -> str | None:
        if process.flows():
            return None
        return (
            "Langevin steps need the score of coordinates; this process has only categorical fields"
        )

    def corrected(
        self, denoiser: Denoiser, x: Batch, x0_hat: Batch, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        """Return x corrected at level s, and the last prediction; at s = 0 there is no noise."""
        for _ in range(self.corrections if s > 0 else 0):
            x0_hat = predict(denoiser, x, s, x0_hat)
            x = denoiser.process.correct(
                x, x0_hat, full(x, s), eta=self.size, churn=self.redraw, rng=rng
            )
        return x, x0_hat


@register(
    "stepper", "langevin", cites={"song2021": "algorithms 4-5", "campbell2022": "the corrector"}
)
@dataclass(frozen=True)
class Langevin(Corrector):
    """Predictor and corrector: an ancestral step, then ``corrections`` at the new noise level.

    The corrector moves coordinates along the score with step ``size`` * sigma^2, and redraws
    classes, rotations and angles by the fraction ``redraw`` (the processes' ``correct``); ``churn``
    is the predictor's.  Source: Song et al. (2021), algorithms 4-5; Campbell et al. (2022),
    for classes.
    """

    corrections: Annotated[int, Range(0)] = 1
    size: Annotated[float, Range(0)] = 0.1
    churn: Share = 0.0
    redraw: Share = 0.0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x0_hat = predict(denoiser, state.x, state.t, state.prediction)
        times = (state.t, s)
        x = reverse(denoiser, state.x, x0_hat, times, eta=1.0, churn=self.churn, rng=rng)
        return self.corrected(denoiser, x, x0_hat, s, rng=rng)


@register(
    "stepper",
    "annealed",
    cites={"song2019": "algorithm 1", "jolicoeur2021": "consistent annealing"},
)
@dataclass(frozen=True)
class Annealed(Corrector):
    """Annealed Langevin dynamics: ``corrections`` steps at each level of a ladder of noise.

    Coordinates keep their values from one level to the next; classes, which a Langevin step
    cannot move, follow their exact reverse kernel.  ``size`` is half of the paper's
    epsilon / sigma_L^2.  Source: Song & Ermon (2019), algorithm 1; the last level is denoised
    (Jolicoeur-Martineau et al. 2021).
    """

    corrections: Annotated[int, Range(0)] = 10
    size: Annotated[float, Range(0)] = 0.2
    churn: Share = 0.0
    redraw: Share = 0.1

    def refusal(self, process: Product) -> str | None:
        if not process.flows():
            return super().refusal(process)
        gaussian = process.gaussian().values()
        if gaussian and all((p.schedule.alpha(torch.ones(1)) > 0.5).all() for p in gaussian):
            return None
        return (
            "annealed Langevin dynamics needs coordinates that keep their size while noise is"
            " added, as under the schedule 've'"
        )

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x0_hat = predict(denoiser, state.x, state.t, state.prediction)
        x = reverse(denoiser, state.x, x0_hat, (state.t, s), churn=self.churn, rng=rng)
        x = x.replace(**{field: state.x[field] for field in denoiser.process.gaussian()})
        return self.corrected(denoiser, x, x0_hat, s, rng=rng)
