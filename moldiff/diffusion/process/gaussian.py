"""Gaussian noise on coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.process.base import Flow, Guess, State, Times
from moldiff.diffusion.schedule import Schedule
from moldiff.diffusion.space import Space, ZeroCoM, expand
from moldiff.registry import register

__all__ = ["Gaussian"]

_CLEAREST = 0.25  # largest signal / noise at t = 1 for which sampling can start from pure noise


@register("process", "gaussian", cites={"ho2020": "eq. 7", "song2021ddim": "eq. 12"})
@dataclass(frozen=True)
class Gaussian(Flow):
    """Gaussian noise on coordinates.

    Parameters
    ----------
    schedule:
        alpha(t) and sigma(t), dimensionless.
    space:
        :class:`~moldiff.diffusion.space.ZeroCoM` or :class:`~moldiff.diffusion.space.Euclidean`.
    scale:
        Noise of one unit of sigma, in Å; close to the spread of the data per axis.
    """

    schedule: Schedule
    space: Space = ZeroCoM()
    scale: float = 1.0

    driven_by: ClassVar[Literal["eta", "churn"]] = "eta"

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf:
            raise ValueError(f"its 'scale' must be a number above 0, not {self.scale}")

    def freed(self) -> Gaussian:
        return self if self.space.freed() == self.space else replace(self, space=self.space.freed())

    def refusal(self, schedule: Schedule) -> str | None:
        alpha, sigma = (f(torch.ones(())) for f in (schedule.alpha, schedule.sigma))
        ratio = float(alpha / sigma)
        if ratio <= _CLEAREST:  # false for NaN as well
            return None
        return f"at t = 1 there is still {ratio:.2g} times as much signal as noise"

    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level in Å at times t."""
        return self.scale * self.schedule.sigma(t)

    def half_log_snr(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.log(self.schedule.alpha(t) / self.schedule.sigma(t))

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        one = torch.ones((), dtype=torch.float32)
        return float(self.sigma(one)) * self.space.prior(shape, rng=rng, device=device)

    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        if noise is None:
            noise = self.prior(tuple(x_s.shape), rng=rng, device=x_s.device)
        ratio = self.schedule.alpha(t) / self.schedule.alpha(s)
        variance = self.schedule.sigma(t) ** 2 - (ratio * self.schedule.sigma(s)) ** 2
        # `noise` has the size of the prior; dividing by it gives unit normal noise in Å.
        unit = variance.clamp_min(0).sqrt() / self.schedule.sigma(torch.ones_like(t))
        return expand(ratio, x_s) * x_s + expand(unit, x_s) * noise

    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        alpha_t, alpha_s = self.schedule.alpha(t), self.schedule.alpha(s)
        sigma_t, sigma_s = self.sigma(t), self.sigma(s)
        z_hat = (x_t - expand(alpha_t, x_t) * x0_hat) / expand(sigma_t, x_t)
        if eta > 0:
            tau = eta * (1 - (alpha_t * sigma_s / (alpha_s * sigma_t)) ** 2).clamp(0, 1)
            fresh = self.space.prior(tuple(x_t.shape), rng=rng, device=x_t.device)
            z_hat = expand((1 - tau).sqrt(), x_t) * z_hat + expand(tau.sqrt(), x_t) * fresh
        return expand(alpha_s, x_t) * x0_hat + expand(sigma_s, x_t) * z_hat

    def correct(
        self, x_t: State, x0_hat: Guess, t: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Take a Langevin step of length eta sigma^2 along the score (in the limit eta -> 0)."""
        alpha, sigma = expand(self.schedule.alpha(t), x_t), expand(self.sigma(t), x_t)
        drift = eta * (alpha * x0_hat - x_t)  # sigma^2 score = alpha E[x_0 | x_t] - x_t
        fresh = self.space.prior(tuple(x_t.shape), rng=rng, device=x_t.device)
        return x_t + drift + (2 * eta) ** 0.5 * sigma * fresh

    def errors(self, x0_hat: Guess, x_0: State) -> Float[Tensor, "b ..."]:
        """Return the squared error of each coordinate in Å^2, (b, ...)."""
        return (x0_hat - x_0).square()

    def mode(self, x0_hat: Guess) -> State:
        return x0_hat
