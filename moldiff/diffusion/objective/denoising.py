"""The regression on clean data that diffusion models and flow matching have in common.

``Denoising`` draws a time, noises the batch, asks for the clean batch back, and weighs
the fields.  With the preconditions' table it is L_simple, the EDM loss or conditional
flow matching; with cross-entropies it is the x_0-parametrised D3PM loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.coupling import Aligned, Coupling
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.objective.base import (
    WEIGHTS,
    Loss,
    Objective,
    coupled,
    known_fields,
    weighed,
)
from moldiff.diffusion.objective.times import Kumaraswamy, Times
from moldiff.registry import register
from moldiff.seeds import uniform

__all__ = ["Denoising"]


@register(
    "objective",
    "denoising",
    cites={"ho2020": "eq. 14", "austin2021": "eq. 5", "chen2023": "self-conditioning"},
)
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
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    self_condition: float = 0.5
    snr_cap: float = 1e4

    def __post_init__(self) -> None:
        known_fields(self.weights)

    def __call__(
        self,
        denoiser: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        process = denoiser.process
        t = self.times.sample(x_0.graphs, rng=rng).to(x_0.device)
        noise = coupled(process, x_0, self.coupling, noise, rng=rng)
        x_t = process.forward(x_0, torch.zeros_like(t), t, rng=rng, noise=noise)
        previous = None
        if uniform((), rng=rng) < self.self_condition:
            with torch.no_grad():
                previous = denoiser(x_t, t)
        return self.regress(denoiser, x_t, t, previous, x_0)

    def regress(
        self,
        denoiser: NetworkDenoiser,
        x_t: Batch,
        t: Float[Tensor, " b"],
        previous: Batch | None,
        x_0: Batch,
    ) -> Loss:
        """Return the loss of the prediction from x_t at times t, (b,), against x_0."""
        prediction = denoiser(x_t, t, previous)
        scale = denoiser.weights(t)
        parts: dict[str, Tensor] = {}
        for name, part in denoiser.process.processes.items():
            loss = part.loss(prediction[name], x_0[name])
            if name in scale:
                cap = self.snr_cap / denoiser.process.gaussian()[name].scale ** 2
                loss = loss * scale[name].clamp_max(cap)
            parts[name] = loss.mean()
        return weighed(parts, self.weights)
