"""The regression on clean data that diffusion models and flow matching have in common.

``Denoising`` draws a time, noises the batch, predicts the clean batch, and weights the
fields.  With the preconditions' table it is L_simple, the EDM loss or conditional
flow matching; with cross-entropies it is the x_0-parametrised D3PM loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor

from moldiff.configuration import Range, check_fields
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.coupling import Aligned, Coupling
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.objective.base import (
    WEIGHTS,
    Loss,
    Objective,
    coupled,
    known_fields,
    own_prediction,
    weighed,
)
from moldiff.diffusion.objective.distortion import distorted_times
from moldiff.diffusion.objective.times import Kumaraswamy, Times
from moldiff.diffusion.time import Time, batch_times, field_times, map_times
from moldiff.registry import register

__all__ = ["Denoising"]


@register(
    "objective",
    "denoising",
    cites={
        "ho2020": "eq. 14",
        "austin2021": "eq. 5",
        "chen2023": "self-conditioning",
        "dunn2025": "geometry distortion",
    },
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
        Fraction of steps in which the denoiser reads its own first prediction.
    snr_cap:
        Upper bound of the coordinate loss's weight relative to plain squared error in
        units of the process's scale; keeps the last, easiest noise levels from dominating.
    distorted, distortion:
        Share of the graphs whose coordinates have more noise than their time says, and how much
        more at most, in Å (`moldiff.diffusion.objective.distortion`).
    """

    times: Times = Kumaraswamy()
    coupling: Coupling = Aligned()
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    self_condition: float = 0.5
    snr_cap: float = 1e4
    distorted: Annotated[float, Range(0, 1)] = 0.0
    distortion: Annotated[float, Range(0)] = 0.3

    def __post_init__(self) -> None:
        check_fields(self, "the objective")
        known_fields(self.weights)

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        x_0 = trained.encoded(x_0)
        t = batch_times(x_0, self.times.sample(x_0.graphs, rng=rng).to(x_0.device))
        noise = coupled(trained.process, x_0, self.coupling, noise, rng=rng)
        start = map_times(t, torch.zeros_like)
        noised = t
        if self.distorted:
            amount = (self.distorted, self.distortion)
            noised = distorted_times(trained.process, x_0, t, *amount, rng=rng)
        x_t = trained.process.forward(x_0, start, noised, rng=rng, noise=noise)
        previous = own_prediction(trained, x_t, t, self.self_condition, rng=rng)
        return self.regress(trained, x_t, t, previous, x_0, noised)

    def regress(
        self,
        denoiser: NetworkDenoiser,
        x_t: Batch,
        t: Time,
        previous: Batch | None,
        x_0: Batch,
        noised: Time | None = None,
    ) -> Loss:
        """Return the loss of the prediction from x_t at times t against x_0.

        Clean sites (t = 0) are left out.  ``noised`` are the times that the weights are for, if
        coordinates have more noise than t says.
        """
        prediction = denoiser(x_t, t, previous)
        scale = self._scale(denoiser, x_t, t if noised is None else noised)
        parts: dict[str, Tensor] = {}
        for name, part in denoiser.process.processes.items():
            times = field_times(t, name)
            if times.ndim == 1:
                loss = part.loss(prediction[name], x_0[name])
                parts[name] = (loss * scale[name] if name in scale else loss).mean()
            else:
                weight = scale.get(name, torch.ones_like(times)) * (times > 0)
                parts[name] = part.loss(prediction[name], x_0[name], weight).mean()
        return weighed(parts, self.weights)

    def _scale(self, denoiser: NetworkDenoiser, x_t: Batch, t: Time) -> dict[str, Tensor]:
        """Weight of the squared error of each Gaussian field, (b,) or (b, sites)."""
        processes = denoiser.process.sized(x_t).gaussian()
        caps = {f: self.snr_cap / p.unit**2 for f, p in processes.items()}
        return {f: w.clamp_max(caps[f]) for f, w in denoiser.weights(x_t, t).items()}
