"""Couplings: which noise goes with which data.

Pairing data with noise that already lies near it straightens the paths a denoiser has
to learn, which pays in few-step sampling.  The price: with any coupling but
``independent``, x_t given x_0 is no longer Gaussian, so only the deterministic flow
(eta = 0, midpoint, multistep) samples exactly; ancestral noise and Langevin correctors
belong to ``independent``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.registry import register

__all__ = ["Aligned", "Coupling", "Independent", "kabsch"]


def kabsch(
    moving: Float[Tensor, "b n 3"], target: Float[Tensor, "b n 3"]
) -> Float[Tensor, "b n 3"]:
    """Rotate ``moving`` onto ``target``, both (b, n, 3) and centred; least squares.

    Source: Kabsch (1976), with the reflection guard of Kabsch (1978).
    """
    u, _, vt = torch.linalg.svd(moving.transpose(1, 2) @ target)
    sign = torch.sign(torch.linalg.det(u @ vt))
    u = torch.cat([u[..., :2], u[..., 2:] * sign[:, None, None]], dim=-1)
    return moving @ (u @ vt)


class Coupling(ABC):
    """Rearranges noise coordinates to go with data coordinates."""

    @abstractmethod
    def __call__(
        self, x_0: Float[Tensor, "b n 3"], noise: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n 3"]:
        """Return noise (b, n, 3) coupled to the data x_0 (b, n, 3)."""


@register("coupling", "independent", cites={"ho2020": "eq. 4"})
@dataclass(frozen=True)
class Independent(Coupling):
    """Noise is independent of the data, as in every classical diffusion model."""

    def __call__(
        self, x_0: Float[Tensor, "b n 3"], noise: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n 3"]:
        return noise


@register(
    "coupling",
    "aligned",
    cites={"klein2023": "section 4", "song2023equifm": "section 3.2", "kabsch1976": "the rotation"},
)
@dataclass(frozen=True)
class Aligned(Coupling):
    """Noise atoms are permuted (Hungarian), then rotated (Kabsch) onto the data.

    Source: Klein et al., "Equivariant Flow Matching" (2023), section 4; Song et al.,
    EquiFM (2023), section 3.2.
    """

    def __call__(
        self, x_0: Float[Tensor, "b n 3"], noise: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n 3"]:
        import numpy as np
        from scipy.optimize import linear_sum_assignment

        cost = -(x_0 @ noise.transpose(1, 2)).cpu().numpy()
        order = [linear_sum_assignment(c)[1] for c in cost]
        index = torch.as_tensor(np.stack(order), device=noise.device).unsqueeze(-1).expand_as(noise)
        return kabsch(noise.gather(1, index), x_0)
