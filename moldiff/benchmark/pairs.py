"""What the peers' networks share: how they are called, and layers on ordered pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PairLinear", "PeerNetwork", "mlp"]


class PeerNetwork(nn.Module, ABC):
    """A network that is timed: positions first, then whatever features it reads."""

    @abstractmethod
    def example(self, b: int, n: int, *, rng: torch.Generator) -> tuple[Tensor, ...]:
        """Draw arguments of one evaluation on b graphs of n atoms; positions are the first."""


def mlp(*widths: int) -> nn.Sequential:
    """Return linear layers of these widths with SiLU between them."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layers += [nn.SiLU()] * (i > 0) + [nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


class PairLinear(nn.Module):
    """A linear layer of [h_i, h_j, e_ij] for all n^2 ordered pairs.

    Parameters
    ----------
    atom_width, pair_width, width:
        Features of an atom, of a pair, and of the result.
    lean:
        Multiply the atoms before they are paired: the same result, with n instead of n^2
        products of the atoms' weights.
    """

    def __init__(self, atom_width: int, pair_width: int, width: int, *, lean: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * atom_width + pair_width, width)
        self.split = (atom_width, atom_width, pair_width)
        self.lean = lean

    def forward(
        self, atoms: Float[Tensor, "b n width"], pairs: Float[Tensor, "b n n pair_width"]
    ) -> Float[Tensor, "b n n out"]:
        """Return the features of each ordered pair (i, j)."""
        if self.lean:
            first, second, rest = self.linear.weight.split(self.split, 1)
            own = F.linear(atoms, first, self.linear.bias).unsqueeze(2)
            return own + F.linear(atoms, second).unsqueeze(1) + F.linear(pairs, rest)
        n = atoms.shape[1]
        own = atoms.unsqueeze(2).expand(-1, n, n, -1)
        other = atoms.unsqueeze(1).expand(-1, n, n, -1)
        joined: Tensor = self.linear(torch.cat([own, other, pairs], -1))
        return joined
