r"""The default interaction: an equivariant transformer biased by pairs.

Per layer, with atoms h, symmetric pair features p and C coordinate channels X:

.. math::

    m_{ij} &= \mathrm{SiLU}(A h_i + A h_j + P p_{ij} + D \log(1 + \lVert X_i - X_j \rVert^2_c)) \\
    h_i &\leftarrow h_i + W [\mathrm{attention}(q_i, k_j; B m_{ij}), \textstyle\sum_j m_{ij}] \\
    X_i &\leftarrow X_i + \textstyle\sum_j g(m_{ij}) (X_i - X_j) / (1 + \lVert X_i - X_j \rVert) \\
    p_{ij} &\leftarrow p_{ij} + U m_{ij}, \qquad h_i \leftarrow h_i + \mathrm{FFN}(h_i)

Messages are symmetric in i and j, so they exist once per unordered pair: half the
memory traffic of a directed graph, which limits the speed on a CPU.  The direction
that attention needs comes from q and k.  Coordinate forces are equal and opposite,
so the centre of mass stays in place without a projection.

Sources: Vaswani et al. (2017); pair bias, Jumper et al., AlphaFold 2 (2021), algorithm
7; coordinate update, Satorras et al., EGNN (2021), eq. 4, in several channels as in Levy
et al. (2023); adaptive layer norm, Peebles & Xie, DiT (2023), section 3.2.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from moldiff.diffusion.batch import pair_selector
from moldiff.diffusion.network import Symmetry
from moldiff.nn.attention import pair_attention
from moldiff.nn.conditions import CrossAttention
from moldiff.nn.embed import Features, pair_differences, pair_forces, squared_norm
from moldiff.nn.interaction import Interaction
from moldiff.precision import exact
from moldiff.registry import register

__all__ = ["Transformer"]


class _Layer(nn.Module):
    def __init__(
        self,
        width: int,
        pair_width: int,
        message_width: int,
        heads: int,
        channels: int,
        context_width: int,
        expansion: int,
        cross_attention: bool,
    ) -> None:
        super().__init__()
        self.heads, self.channels = heads, channels
        self.cross = CrossAttention(width, context_width, heads) if cross_attention else None
        self.modulate = nn.Linear(context_width, 4 * width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.sum_atoms = nn.Linear(width, message_width, bias=False)
        self.message = nn.Linear(pair_width, message_width)
        self.metric = nn.Linear(channels, message_width, bias=False)
        self.split = (pair_width, heads, channels)
        self.spread = nn.Linear(message_width, sum(self.split))
        self.out = nn.Linear(width + message_width, width)
        self.mix = nn.Parameter(torch.eye(channels))
        self.expand = nn.Linear(width, expansion * width)
        self.contract = nn.Linear(expansion * width, width)
        for module in (self.modulate, self.spread, self.out, self.contract):
            nn.init.zeros_(module.bias)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.contract.weight)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Features) -> Features:
        shift_a, scale_a, shift_f, scale_f = self.modulate(x.context).unsqueeze(1).chunk(4, -1)
        h = self.norm(x.atoms) * (1 + scale_a) + shift_a
        n = h.shape[1]
        differences = pair_differences(x.points)
        square = squared_norm(differences)
        both = pair_selector(n, h.device, 1).expand(len(h), -1, -1)
        # One product for pairs and distances: a separate one with 8 columns would cost as much.
        weight = torch.cat([self.message.weight, self.metric.weight], 1)
        inputs = torch.cat([x.pairs, square.log1p().to(x.pairs.dtype)], -1)
        m = F.linear(inputs, weight, self.message.bias)
        m = F.silu(m + both @ self.sum_atoms(h))
        pair_update, bias, gate = self.spread(m).split(self.split, -1)
        message_sum = (both.mT @ m) / n**0.5
        attended = pair_attention(self.qkv(h), bias)
        atoms = x.atoms + self.out(torch.cat([attended, message_sum], -1))
        if self.cross is not None and x.tokens is not None and x.present is not None:
            atoms = atoms + self.cross(self.norm(atoms), x.tokens, x.present)
        h = self.norm(atoms) * (1 + scale_f) + shift_f
        atoms = atoms + self.contract(F.silu(self.expand(h)))
        force = differences * (gate / (1 + (square + 1e-8).sqrt())).unsqueeze(-1)
        with exact(h):
            points = self.mix @ (x.points + pair_forces(force, n) / n**0.5)
        return dataclasses.replace(x, atoms=atoms, pairs=x.pairs + pair_update, points=points)


@register(
    "interaction",
    "transformer",
    cites={
        "vaswani2017": "attention",
        "jumper2021": "algorithm 7",
        "satorras2021": "eq. 4",
        "levy2023": "several coordinate channels",
        "peebles2023": "section 3.2",
        "rombach2022": "section 3.3, conditions by cross-attention",
    },
)
class Transformer(Interaction):
    """Layers of pair-biased attention with coordinate channels.

    Parameters
    ----------
    width, pair_width, message_width:
        Features per atom, per pair, and per message.
    layers, heads, channels:
        Depth, attention heads, and coordinate channels.
    expansion:
        Width of the feed-forward network relative to ``width``.
    cross_attention:
        Whether atoms read the conditions of their graph as tokens, in every layer, instead of as
        part of the context (`moldiff.nn.conditions`).
    """

    symmetry: ClassVar[Symmetry] = Symmetry.E3

    def __init__(
        self,
        *,
        width: int = 128,
        pair_width: int = 32,
        message_width: int = 64,
        layers: int = 8,
        heads: int = 8,
        channels: int = 8,
        context_width: int = 64,
        expansion: int = 3,
        cross_attention: bool = False,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.width, self.pair_width, self.message_width = width, pair_width, message_width
        self.heads, self.channels, self.context_width = heads, channels, context_width
        self.layers, self.expansion = layers, expansion
        self.cross_attention = cross_attention
        sizes = (width, pair_width, message_width, heads, channels, context_width, expansion)
        self.stack = nn.ModuleList(_Layer(*sizes, cross_attention) for _ in range(layers))

    def forward(self, x: Features) -> Features:
        for layer in self.stack:
            x = layer(x)
        return x
