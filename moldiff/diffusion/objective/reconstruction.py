"""Reconstruction: trains a codec to encode molecules as latents and decode them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.latent import Codec
from moldiff.diffusion.objective.base import Loss, Objective, known_fields, weighed
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Reconstruction"]


def _weights() -> dict[str, float]:
    return {"positions": 100.0, "types": 1.0, "charges": 1.0, "bonds": 10.0}


@register("objective", "reconstruction", cites={"xu2023": "section 4.1", "kingma2014": "eq. 3"})
@dataclass(frozen=True)
class Reconstruction(Objective):
    r"""Reconstruct the molecule from a draw of its latents, with a divergence from the prior.

    .. math:: -\log p(x | z_x, z_h) + \beta\, \mathrm{KL}(q(z_h | x)\, \|\, N(0, 1))

    Source: Kingma & Welling (2014), eq. 3, as in Xu et al., GeoLDM (2023), section 4.1.

    Parameters
    ----------
    weights:
        Weight of the mean squared error of positions, in 1/Å^2, and of the mean cross-entropy of
        each other field.
    kl:
        beta, the weight of the mean over the features' values.
    """

    trains: ClassVar[str] = "codec"

    weights: Mapping[str, float] = field(default_factory=_weights)
    kl: float = 1e-3

    def __post_init__(self) -> None:
        known_fields(self.weights)
        if not self.kl >= 0:
            raise ConfigError("'kl' of the reconstruction must be at least 0.")

    def __call__(
        self, trained: Codec, x_0: Batch, *, rng: torch.Generator, noise: Batch | None = None
    ) -> Loss:
        mean = trained.latents(x_0)
        decoded = trained.decode(trained.perturb(mean, rng=rng))
        error = (decoded["positions"] - x_0["positions"]).square().sum(-1).mean()
        parts = {"positions": error}
        for name in (f for f in decoded if f != "positions"):
            parts[name] = nn.functional.cross_entropy(
                decoded[name].flatten(0, -2), x_0[name].flatten()
            )
        parts["kl"] = trained.divergence(mean)
        return weighed(parts, {**self.weights, "kl": self.kl})
