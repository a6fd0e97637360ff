"""Couplings: how noise is paired with data.

Pairing data with nearby noise straightens the paths a denoiser has to learn, which pays
off in few-step sampling.  The price: with any coupling but
``independent``, x_t given x_0 is no longer Gaussian, so only the deterministic flow
(eta = 0, midpoint, multistep) samples exactly; ancestral noise and Langevin correctors
belong to ``independent``.

``minibatch`` reassigns the noise among the graphs of a batch, which all have the same size: the
assignment of least squared distance, an optimal transport between the two samples (Pooladian et
al. 2023; Tong et al. 2024).  The noise of a graph then depends on the graph, so this coupling
cannot be combined with conditions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.geometry.tensors import kabsch
from moldiff.registry import register

__all__ = ["Aligned", "Coupling", "Independent", "Minibatch", "Rotated"]


class Coupling(ABC):
    """Rearranges noise coordinates to match data coordinates."""

    across: ClassVar[bool] = False
    """Whether a graph may receive the noise of another graph."""

    @property
    def points(self) -> bool:
        """Whether it rearranges only atom positions, (b, n, 3)."""
        return False

    @abstractmethod
    def __call__(
        self, x_0: Float[Tensor, "b ..."], noise: Float[Tensor, "b ..."]
    ) -> Float[Tensor, "b ..."]:
        """Return noise coupled to the data x_0: points (b, n, 3), or any vectors (b, ...)."""


@register("coupling", "independent", cites={"ho2020": "eq. 4"})
@dataclass(frozen=True)
class Independent(Coupling):
    """Noise is independent of the data, as in every classical diffusion model."""

    def __call__(
        self, x_0: Float[Tensor, "b ..."], noise: Float[Tensor, "b ..."]
    ) -> Float[Tensor, "b ..."]:
        return noise


@register("coupling", "rotated", cites={"kabsch1976": "the rotation"})
@dataclass(frozen=True)
class Rotated(Coupling):
    """Noise is rotated (Kabsch) onto the data; for points in an order, as the residues of a chain.

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors" (1976).
    """

    @property
    def points(self) -> bool:
        return True

    def __call__(
        self, x_0: Float[Tensor, "b n 3"], noise: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n 3"]:
        return noise @ kabsch(noise, x_0).mT


@register(
    "coupling",
    "aligned",
    cites={
        "klein2023": "section 4",
        "song2023equifm": "the alignment",
        "kabsch1976": "the rotation",
    },
)
@dataclass(frozen=True)
class Aligned(Coupling):
    """Noise atoms are permuted (Hungarian), then rotated (Kabsch, ``rotated``) onto the data.

    Source: Klein et al., "Equivariant Flow Matching" (2023), section 4; Song et al.,
    EquiFM (2023).
    """

    @property
    def points(self) -> bool:
        return True

    def __call__(
        self, x_0: Float[Tensor, "b n 3"], noise: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n 3"]:
        import numpy as np
        from scipy.optimize import linear_sum_assignment

        cost = -(x_0 @ noise.transpose(1, 2)).cpu().numpy()
        order = [linear_sum_assignment(c)[1] for c in cost]
        index = torch.as_tensor(np.stack(order), device=noise.device).unsqueeze(-1).expand_as(noise)
        return Rotated()(x_0, noise.gather(1, index))


@register(
    "coupling", "minibatch", cites={"pooladian2023": "the coupling", "tong2024": "the coupling"}
)
@dataclass(frozen=True)
class Minibatch(Coupling):
    """Optimal transport between the data and the noise of a batch, then ``coupling`` in each pair.

    The cost of a pair is its plain squared distance, without permutation or rotation.  Atoms are
    ordered, so this gains less than ``aligned``; both together give the shortest paths.

    Source: Pooladian et al., "Multisample Flow Matching" (2023); Tong et al. (2024).

    Parameters
    ----------
    coupling:
        Rearranges the atoms within each chosen pair.
    """

    across: ClassVar[bool] = True
    coupling: Coupling = Aligned()

    @property
    def points(self) -> bool:
        return self.coupling.points

    def __call__(
        self, x_0: Float[Tensor, "b ..."], noise: Float[Tensor, "b ..."]
    ) -> Float[Tensor, "b ..."]:
        from scipy.optimize import linear_sum_assignment

        # Half the squared distance, up to sums over rows and columns.
        cost = -(x_0.flatten(1) @ noise.flatten(1).T)
        order = linear_sum_assignment(cost.cpu().numpy())[1]
        return self.coupling(x_0, noise[torch.as_tensor(order, device=noise.device)])
