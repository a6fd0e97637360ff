r"""E(n)-equivariant graph network on the fully connected graph, with pair features.

Per layer, with atoms h, symmetric pair features a and C coordinate channels x, the
messages of Satorras, Hoogeboom & Welling, "E(n) Equivariant Graph Neural Networks"
(2021), eq. 3-6:

.. math::

    m_{ij} &= \phi_e(h_i, h_j, \log(1 + \lVert x_i - x_j \rVert^2_c), a_{ij}) \\
    x_i &\leftarrow x_i + \tfrac{1}{\sqrt n} \textstyle\sum_j
        \frac{x_i - x_j}{1 + \lVert x_i - x_j \rVert}\, \phi_x(m_{ij}) \\
    m_i &= \tfrac{1}{\sqrt n} \textstyle\sum_j m_{ij} \\
    h_i &\leftarrow h_i + \phi_h(h_i, m_i)

Additions to the paper: pairs are refined, :math:`a_{ij} \leftarrow a_{ij} + U(m_{ij} +
m_{ji})`; coordinates have channels, mixed after each layer (Levy et al., 2023);
differences are normalised as in Hoogeboom et al., EDM (2022); h is normalised and
modulated by the context first (Peebles & Xie, DiT, 2023, section 3.2).
Messages are directed, so forces do not cancel and the mean is subtracted again.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.batch import pair_selector
from moldiff.diffusion.network import Symmetry
from moldiff.nn.embed import Features, pair_differences
from moldiff.nn.interaction import Interaction
from moldiff.precision import exact
from moldiff.registry import register

__all__ = ["EGNN"]


class _Layer(nn.Module):
    def __init__(
        self, width: int, pair_width: int, message_width: int, channels: int, context_width: int
    ) -> None:
        super().__init__()
        self.modulate = nn.Linear(context_width, 2 * width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        # The first layer of phi_e, split by the parts of its concatenated input.
        self.ends = nn.Linear(width, 2 * message_width, bias=False)
        self.pair = nn.Linear(pair_width, message_width)
        self.metric = nn.Linear(channels, message_width, bias=False)
        self.message = nn.Linear(message_width, message_width)
        self.pair_update = nn.Linear(message_width, pair_width)
        self.gate = nn.Sequential(
            nn.Linear(message_width, message_width), nn.SiLU(), nn.Linear(message_width, channels)
        )
        last = nn.Linear(width, width)
        self.update = nn.Sequential(nn.Linear(width + message_width, width), nn.SiLU(), last)
        self.mix = nn.Parameter(torch.eye(channels))
        for module in (self.modulate, last):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, x: Features) -> Features:
        shift, scale = self.modulate(x.context).unsqueeze(1).chunk(2, -1)
        h = self.norm(x.atoms) * (1 + scale) + shift
        n = h.shape[1]
        sums, signs = (pair_selector(n, h.device, sign) for sign in (1, -1))
        first, second = (sums + signs) / 2, (sums - signs) / 2
        differences = pair_differences(x.points)
        square = differences.square().sum(-1)
        with exact(h):
            metric = self.metric(square.log1p())
        near, far = self.ends(h).chunk(2, -1)
        shared = self.pair(x.pairs) + metric
        out = self._message(first @ near + second @ far + shared)
        back = self._message(second @ near + first @ far + shared)
        message_sum = (first.T @ out + second.T @ back) / n**0.5
        unit = differences / (1 + (square + 1e-8).sqrt()).unsqueeze(-1)
        gates = [self.gate(m).unsqueeze(-1) for m in (out, back)]
        with exact(h):
            forces = first.T @ (unit * gates[0]).flatten(2)
            forces = forces - second.T @ (unit * gates[1]).flatten(2)
            points = self.mix @ (x.points + forces.view_as(x.points) / n**0.5)
        return dataclasses.replace(
            x,
            atoms=x.atoms + self.update(torch.cat([h, message_sum.to(h.dtype)], -1)),
            pairs=x.pairs + self.pair_update(out + back),
            points=points - points.mean(1, keepdim=True),
        )

    def _message(self, hidden: Tensor) -> Tensor:
        """Apply the rest of phi_e after its first layer; (b, e, message_width) stays."""
        return F.silu(self.message(F.silu(hidden)))


@register(
    "interaction",
    "egnn",
    cites={
        "satorras2021": "eq. 3-6",
        "levy2023": "several coordinate channels",
        "hoogeboom2022": "normalised differences",
        "peebles2023": "section 3.2",
    },
)
class EGNN(Interaction):
    """Layers of E(n)-equivariant message passing with coordinate channels.

    Parameters
    ----------
    width, pair_width, message_width:
        Features per atom, per pair, and per message.
    layers, channels:
        Depth and coordinate channels.
    context_width:
        Features of the whole graph.
    """

    symmetry: ClassVar[Symmetry] = Symmetry.E3

    def __init__(
        self,
        *,
        width: int = 128,
        pair_width: int = 32,
        message_width: int = 64,
        layers: int = 6,
        channels: int = 8,
        context_width: int = 64,
    ) -> None:
        super().__init__()
        self.width, self.pair_width, self.message_width = width, pair_width, message_width
        self.layers, self.channels, self.context_width = layers, channels, context_width
        self.stack = nn.ModuleList(
            _Layer(width, pair_width, message_width, channels, context_width) for _ in range(layers)
        )

    def forward(self, x: Features) -> Features:
        for layer in self.stack:
            x = layer(x)
        return x
