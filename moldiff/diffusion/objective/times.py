"""Distributions of the noise level in training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.configuration import Range, Share, check_fields
from moldiff.errors import ConfigError
from moldiff.registry import register
from moldiff.seeds import uniform

__all__ = ["Between", "Kumaraswamy", "LogitNormal", "Times"]


class Times(ABC):
    """The distribution of training times on (0, 1)."""

    def __post_init__(self) -> None:
        """Check the settings of a distribution that is a dataclass."""
        check_fields(self, f"the times {type(self).__name__}")

    @abstractmethod
    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Return the times at which the cumulative distribution is u."""

    def sample(self, b: int, *, rng: torch.Generator) -> Float[Tensor, " b"]:
        """Draw b times, one from each of b equally probable strata, in random order.

        Stratification removes most of the variance that a random noise level adds to the
        loss (Kingma et al., "Variational Diffusion Models", 2021, appendix I.1).
        """
        strata = torch.randperm(b, generator=rng, device=rng.device)
        return self.quantile((strata + uniform((b,), rng=rng)) / b).clamp(1e-4, 1 - 1e-4)


@register(
    "times", "kumaraswamy", cites={"kumaraswamy1980": "the density", "kingma2021": "appendix I.1"}
)
@dataclass(frozen=True)
class Kumaraswamy(Times):
    """Density a b t^(a-1) (1 - t^a)^(b-1): Beta(a, 1) and Beta(1, b) in closed form.

    b > 1 puts more weight near the data, a = b = 1 is uniform.
    """

    a: Annotated[float, Range(0.01, 100)] = 1.0
    b: Annotated[float, Range(0.01, 100)] = 1.0

    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        return (1 - (1 - u) ** (1 / self.b)) ** (1 / self.a)


@register(
    "times",
    "logit_normal",
    cites={"karras2022": "table 1", "esser2024": "eq. 19", "kingma2021": "appendix I.1"},
)
@dataclass(frozen=True)
class LogitNormal(Times):
    """logit(t) ~ N(mean, std^2), which trains mostly at intermediate noise.

    Source: Karras et al. (2022), table 1, in the bounded form of Esser et al. (2024),
    eq. 19.
    """

    mean: float = -0.5
    std: Annotated[float, Range(0.01, 100)] = 1.2

    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6)))


@register("times", "between", cites={"balaji2022": "section 4"})
@dataclass(frozen=True)
class Between(Times):
    """Another distribution, squeezed into the times from ``low`` to ``high``."""

    times: Times = Kumaraswamy()
    low: Share = 0.0
    high: Share = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low >= self.high:
            raise ConfigError(
                f"Times between {self.low} and {self.high} are none.",
                fix="Give 'low' and 'high' with 0 <= low < high <= 1.",
            )

    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        return self.low + (self.high - self.low) * self.times.quantile(u)
