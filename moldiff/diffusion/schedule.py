r"""Noise schedules: how much signal alpha(t) and noise sigma(t) there is at time t.

A Gaussian process sees :math:`x_t = \alpha(t)\, x_0 + \sigma(t)\, z`; a jump process
keeps a class with probability :math:`\alpha(t)`.  Everywhere, t = 0 is data and t = 1
is noise.  Derivatives come from automatic differentiation, so a schedule is two
formulas.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.registry import register

__all__ = [
    "VE",
    "Cosine",
    "LinearVP",
    "Polynomial",
    "Rectified",
    "Schedule",
    "derivative",
    "inverse",
]


class Schedule(ABC):
    """alpha(t) falls from 1, sigma(t) rises from (about) 0, for t from 0 to 1."""

    @abstractmethod
    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Return the signal coefficient at times t, any shape."""

    @abstractmethod
    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Return the noise coefficient at times t, any shape."""


def derivative(function: Callable[[Tensor], Tensor], t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Return d function / dt at times t, elementwise."""
    with torch.inference_mode(False), torch.enable_grad():  # sampling runs in inference mode
        t = t.detach().clone().requires_grad_(True)
        value = function(t)
        if not value.requires_grad:  # a constant, such as alpha of VE
            return torch.zeros_like(t)
        (slope,) = torch.autograd.grad(value.sum(), t)
    return slope


def inverse(function: Callable[[Tensor], Tensor], values: Float[Tensor, "*s"]) -> Tensor:
    """Return the times in [0, 1] at which a falling function takes the given values.

    By bisection, to the last bit of double precision; values outside the function's range
    give the nearer end.
    """
    low, high = torch.zeros_like(values).double(), torch.ones_like(values).double()
    for _ in range(54):
        middle = 0.5 * (low + high)
        later = function(middle) > values
        low, high = torch.where(later, middle, low), torch.where(later, high, middle)
    return 0.5 * (low + high)


@register("schedule", "cosine", cites={"nichol2021": "eq. 17", "salimans2022": "the angle phi"})
@dataclass(frozen=True)
class Cosine(Schedule):
    """alpha = cos(pi t / 2), sigma = sin(pi t / 2).

    Variance preserving, with signal and noise exchanged symmetrically.
    Source: Nichol & Dhariwal, "Improved Denoising Diffusion Probabilistic Models"
    (2021), eq. 17 with offset 0; Salimans & Ho (2022), whose angle phi is pi t / 2.
    """

    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.cos(0.5 * math.pi * t)

    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.sin(0.5 * math.pi * t)


@register("schedule", "linear_vp", cites={"ho2020": "section 4", "song2021": "eq. 33"})
@dataclass(frozen=True)
class LinearVP(Schedule):
    """Variance preserving with a noise rate beta(t) that grows linearly.

    Source: Ho et al., DDPM (2020), in the continuous form of Song et al. (2021), eq. 33.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def _log_alpha(self, t: Tensor) -> Tensor:
        return -0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.exp(self._log_alpha(t))

    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.sqrt(-torch.expm1(2 * self._log_alpha(t)))


@register("schedule", "ve", cites={"song2019": "section 4.1", "song2021": "eq. 30"})
@dataclass(frozen=True)
class VE(Schedule):
    """Variance exploding: alpha = 1, sigma geometric from sigma_min to sigma_max.

    Source: Song & Ermon (2019); Song et al. (2021), eq. 30.
    """

    sigma_min: float = 0.002
    sigma_max: float = 20.0

    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.ones_like(t)

    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t


@register("schedule", "rectified", cites={"lipman2023": "eq. 20-22", "liu2023": "eq. 1"})
@dataclass(frozen=True)
class Rectified(Schedule):
    """The straight path alpha = 1 - t, sigma = t of flow matching.

    Source: Lipman et al., "Flow Matching" (2023), eq. 20-22; Liu et al. (2023), eq. 1.
    """

    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return 1 - t

    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return t + 0.0


@register("schedule", "polynomial", cites={"hoogeboom2022": "the polynomial schedule"})
@dataclass(frozen=True)
class Polynomial(Schedule):
    """alpha = (1 - 2 offset)(1 - t^power) + offset, sigma^2 = 1 - alpha^2.

    Source: Hoogeboom et al., EDM for molecules (2022), with power = 2.
    """

    power: float = 2.0
    offset: float = 1e-5

    def alpha(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return (1 - 2 * self.offset) * (1 - t**self.power) + self.offset

    def sigma(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.sqrt(1 - self.alpha(t) ** 2)
