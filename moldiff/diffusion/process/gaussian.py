"""Gaussian noise on coordinates, on one scale or on one that follows the number of atoms.

The preconditions, the variance of the likelihood bound and the caps of losses assume data whose
spread is the scale of the process.  Larger molecules are wider, so over a broad range of sizes one
scale is too large for some and too small for others; a `PowerLaw` gives each size its own.  A
batch holds graphs of one size, for which the process is the one whose scale is that number
(:meth:`Gaussian.sized`), and all formulas are unchanged.  Networks then see coordinates of unit
spread at every size, in which a bond is the shorter the larger the molecule is.  They are shown
the size as well: n / 20 and log(n) / 3 in `moldiff.nn.embed`, both of order 1 from 10 to 40 atoms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.process.base import Flow, Guess, State, Times
from moldiff.diffusion.schedule import Schedule
from moldiff.diffusion.space import Flat, ZeroCoM, expand
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Gaussian", "PowerLaw"]

_CLEAREST = 0.25  # largest signal / noise at t = 1 for which sampling can start from pure noise


@dataclass(frozen=True)
class PowerLaw:
    """A scale of spread * (n / atoms)^exponent for graphs of n atoms.

    Attributes
    ----------
    spread:
        The scale in Å at ``atoms`` atoms.
    atoms:
        Any number of atoms in the range of the data.
    exponent:
        0: one scale for all sizes.
    """

    spread: float
    atoms: float
    exponent: float

    def __post_init__(self) -> None:
        if not (self.spread > 0 and self.atoms > 0 and math.isfinite(sum(vars(self).values()))):
            raise ConfigError(
                "The scale of a process needs finite numbers, 'spread' and 'atoms' above 0.",
                fix="Write 'scale: size' to fit it to the data.",
            )

    def __call__(self, n: int) -> float:
        """Return the scale of graphs of n atoms, in Å."""
        return self.spread * (n / self.atoms) ** self.exponent


@register("process", "gaussian", cites={"ho2020": "eq. 7", "song2021ddim": "eq. 12"})
@dataclass(frozen=True)
class Gaussian(Flow):
    """Gaussian noise on coordinates.

    Parameters
    ----------
    schedule:
        alpha(t) and sigma(t), dimensionless.
    space:
        :class:`~moldiff.diffusion.space.ZeroCoM`, :class:`~moldiff.diffusion.space.Euclidean` or
        another flat one.
    scale:
        Noise of one unit of sigma, in Å; close to the spread of the data per axis.  A number, or a
        `PowerLaw` of the number of atoms; training configurations write ``data`` or ``size``.
    """

    schedule: Schedule
    space: Flat = ZeroCoM()
    scale: float | PowerLaw = 1.0

    driven_by: ClassVar[Literal["eta", "churn"]] = "eta"

    def __post_init__(self) -> None:
        if not isinstance(self.scale, PowerLaw) and not 0 < self.scale < math.inf:
            raise ValueError(f"its 'scale' must be a number above 0, not {self.scale}")

    def freed(self) -> Gaussian:
        return self if self.space.freed() == self.space else replace(self, space=self.space.freed())

    def sized(self, shape: tuple[int, ...]) -> Gaussian:
        if not isinstance(self.scale, PowerLaw):
            return self
        return replace(self, scale=self.scale(shape[1]))

    @property
    def unit(self) -> float:
        """The scale in Å.

        Raises
        ------
        ValueError
            If it depends on the number of atoms, which :meth:`sized` fixes.
        """
        if isinstance(self.scale, PowerLaw):
            raise ValueError("the scale depends on the number of atoms: take the process sized()")
        return self.scale

    def refusal(self, schedule: Schedule) -> str | None:
        alpha, sigma = (f(torch.ones(())) for f in (schedule.alpha, schedule.sigma))
        ratio = float(alpha / sigma)
        if ratio <= _CLEAREST:  # false for NaN as well
            return None
        return f"at t = 1 there is still {ratio:.2g} times as much signal as noise"

    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level in Å at times t, of a process whose scale is a number."""
        return self.unit * self.schedule.sigma(t)

    def half_log_snr(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.log(self.schedule.alpha(t) / self.schedule.sigma(t))

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        one = torch.ones((), dtype=torch.float32)
        return float(self.sized(shape).sigma(one)) * self.space.prior(shape, rng=rng, device=device)

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
        sigma = self.sized(x_t.shape).sigma
        sigma_t, sigma_s = sigma(t), sigma(s)
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
        alpha = expand(self.schedule.alpha(t), x_t)
        sigma = expand(self.sized(x_t.shape).sigma(t), x_t)
        drift = eta * (alpha * x0_hat - x_t)  # sigma^2 score = alpha E[x_0 | x_t] - x_t
        fresh = self.space.prior(tuple(x_t.shape), rng=rng, device=x_t.device)
        return x_t + drift + (2 * eta) ** 0.5 * sigma * fresh

    def errors(self, x0_hat: Guess, x_0: State) -> Float[Tensor, "b ..."]:
        """Return the squared error of each coordinate in Å^2, (b, ...)."""
        return (x0_hat - x_0).square()

    def mode(self, x0_hat: Guess) -> State:
        return x0_hat
