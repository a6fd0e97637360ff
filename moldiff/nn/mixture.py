"""Mixtures of Gaussians over distances that are observed only up to a reach.

A distance d below the reach has the density sum_k w_k N(d; m_k, s_k); one beyond it is a
censored observation with the probability sum_k w_k Phi((m_k - reach) / s_k), so that every pair
counts.  Mixture density networks: C. M. Bishop (1994); over distances between ligand atoms and
protein: O. Méndez-Lucio et al., Nat. Mach. Intell. 3, 1033 (2021) (DeepDock); C. Shen et al., J.
Med. Chem. 65, 10691 (2022) (RTMScore).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["REACH", "Mixture"]

REACH = 8.0
"""Å; a longer distance is only "far"."""
_NARROWEST = 0.12  # Å: crystal poses are no more precise than this
_NORMAL = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixtures of k components, any leading shape (*s): log weights, means, widths (*s, k), Å."""

    log_weights: Tensor
    means: Tensor
    widths: Tensor

    @classmethod
    def of(cls, raw: Tensor) -> Mixture:
        """Read the parameters from raw outputs, (*s, 3 k); zeros spread means over the reach."""
        weights, means, widths = raw.chunk(3, -1)
        spread = torch.linspace(2.0, REACH + 2.0, means.shape[-1], device=raw.device)
        return cls(weights.log_softmax(-1), means + spread, F.softplus(widths + 0.3) + _NARROWEST)

    def __getitem__(self, index: Tensor | slice) -> Mixture:
        return Mixture(self.log_weights[index], self.means[index], self.widths[index])

    def log_density(self, distance: Tensor) -> Tensor:
        """Return the log density in 1/Å of distances (*s) below the reach, (*s)."""
        z = (distance.unsqueeze(-1) - self.means) / self.widths
        return (self.log_weights - 0.5 * z.square() - self.widths.log() - _NORMAL).logsumexp(-1)

    def log_far(self) -> Tensor:
        """Return the log probability of a distance beyond the reach, (*s)."""
        z = (self.means - REACH) / self.widths
        return (self.log_weights + torch.special.log_ndtr(z)).logsumexp(-1)
