"""Objectives: what a denoiser is trained on.

``Denoising`` draws a time, noises the batch, asks for the clean batch back, and weighs
the fields.  With the preconditions' table it is L_simple, the EDM loss or conditional
flow matching; with cross-entropies it is the x_0-parametrised D3PM loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.batch import FIELDS, Batch
from moldiff.coupling import Aligned, Coupling
from moldiff.denoiser import NetworkDenoiser
from moldiff.errors import ConfigError, did_you_mean
from moldiff.registry import register

__all__ = ["Denoising", "Kumaraswamy", "LogitNormal", "Objective", "Times"]


class Times(ABC):
    """The distribution of training times on (0, 1)."""

    @abstractmethod
    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Return the times at which the cumulative distribution is u."""

    def sample(self, b: int, *, rng: torch.Generator) -> Float[Tensor, " b"]:
        """Draw b times, one from each of b equally probable strata, in random order.

        Stratification removes most of the variance a random noise level adds to the
        loss (Kingma et al., "Variational Diffusion Models", 2021, appendix I.1).
        """
        strata = torch.randperm(b, generator=rng, device=rng.device)
        u = torch.rand(b, generator=rng, device=rng.device)
        return self.quantile((strata + u) / b).clamp(1e-4, 1 - 1e-4)


@register("times", "kumaraswamy")
@dataclass(frozen=True)
class Kumaraswamy(Times):
    """Density a b t^(a-1) (1 - t^a)^(b-1): Beta(a, 1) and Beta(1, b) in closed form.

    b > 1 puts more weight near the data, a = b = 1 is uniform.
    """

    a: float = 1.0
    b: float = 1.0

    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        return (1 - (1 - u) ** (1 / self.b)) ** (1 / self.a)


@register("times", "logit_normal")
@dataclass(frozen=True)
class LogitNormal(Times):
    """logit(t) ~ N(mean, std^2): most training at middling noise.

    Source: Karras et al. (2022), table 1, in the bounded form of Esser et al. (2024),
    eq. 19.
    """

    mean: float = -0.5
    std: float = 1.2

    def quantile(self, u: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6)))


class Objective(ABC):
    """A loss of a denoiser on a clean batch."""

    @abstractmethod
    def __call__(
        self, denoiser: NetworkDenoiser, x_0: Batch, *, rng: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Return the loss (scalar) and its detached parts by field."""


@register("objective", "denoising")
@dataclass(frozen=True)
class Denoising(Objective):
    """Predict the clean batch from a noised one.

    Parameters
    ----------
    times:
        Distribution of the noise level.
    coupling:
        How noise coordinates are paired with data coordinates.
    weights:
        Weight of each field's loss.
    self_condition:
        Fraction of steps in which the denoiser reads a first prediction of its own.
    snr_cap:
        Upper bound of the coordinate loss's weight relative to plain squared error in
        units of the process's scale; keeps the last, easiest noise levels from ruling.
    """

    times: Times = Kumaraswamy()
    coupling: Coupling = Aligned()
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"positions": 1.0, "types": 0.25, "charges": 0.5, "bonds": 1.0}
    )
    self_condition: float = 0.5
    snr_cap: float = 1e4

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(FIELDS))
        if unknown:
            raise ConfigError(
                f"There is a weight for '{unknown[0]}', which is no field.",
                fix=did_you_mean(unknown[0], FIELDS),
            )

    def __call__(
        self, denoiser: NetworkDenoiser, x_0: Batch, *, rng: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        process = denoiser.process
        t = self.times.sample(x_0.graphs, rng=rng).to(x_0.device)
        x_t = self.noised(denoiser, x_0, t, rng=rng)
        previous = None
        if torch.rand((), generator=rng, device=rng.device) < self.self_condition:
            with torch.no_grad():
                previous = denoiser(x_t, t)
        prediction = denoiser(x_t, t, previous)
        scale = denoiser.weights(t)
        parts: dict[str, Tensor] = {}
        for name, part in process.processes.items():
            loss = part.loss(prediction[name], x_0[name])
            if name in scale:
                cap = self.snr_cap / process.gaussian()[name].scale ** 2
                loss = loss * scale[name].clamp_max(cap)
            parts[name] = loss.mean()
        total = torch.stack([self.weights.get(k, 1.0) * v for k, v in parts.items()]).sum()
        return total, {name: value.detach() for name, value in parts.items()}

    def noised(
        self, denoiser: NetworkDenoiser, x_0: Batch, t: Float[Tensor, " b"], *, rng: torch.Generator
    ) -> Batch:
        """Draw x_t with coordinates' noise coupled to the data."""
        process = denoiser.process
        noise = process.noise_like(x_0, rng=rng)
        for name in process.gaussian():
            noise = noise.replace(**{name: self.coupling(x_0[name], noise[name])})
        return process.forward(x_0, torch.zeros_like(t), t, rng=rng, noise=noise)
