r"""A transformer on plain coordinates, as in AlphaFold 3: **not equivariant**.

Coordinates are numbers like any others: the C points X of an atom are embedded linearly into its
features, which are mapped linearly to a displacement at the end.  In between, with the atom's
condition s (its classes, time and size, without coordinates) and pair features p:

.. math::

    a_i &= h_i + W_{in} X_i, \qquad
    \mathrm{AdaLN}(a, s) = \sigma(A s) \cdot \mathrm{LN}(a) + B s \\
    m_{ij} &= \mathrm{SiLU}(M a_i + M a_j + P p_{ij}), \qquad p_{ij} \leftarrow p_{ij} + U m_{ij} \\
    a_i &\leftarrow a_i + \sigma(C s_i) \cdot W [\sigma(g_i) \cdot
        \mathrm{attention}(q_i, k_j; H m_{ij})] \\
    a_i &\leftarrow a_i + \sigma(D s_i) \cdot V [\mathrm{SiLU}(a'_i) \cdot a''_i] \\
    X_i &\leftarrow X_i + W_{out} \mathrm{LN}(a_i)

A rotated input does not give a rotated output: the network has to learn this, so training rotates
every example at random, see `moldiff.train.orientation`.  Translations do not matter: the points
have zero mean.

Source: Abramson et al., "Accurate structure prediction of biomolecular interactions with
AlphaFold 3" (2024), supplementary algorithms 20 (linear in and out), 23 to 26 (attention with
pair bias, conditioned transition, adaptive layer norm) and 19 (random rotations).  Unlike
there, pairs are refined, because bonds are predicted from them.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.batch import pair_selector
from moldiff.diffusion.network import Symmetry
from moldiff.nn.attention import pair_attention
from moldiff.nn.embed import Features
from moldiff.nn.interaction import Interaction
from moldiff.precision import exact
from moldiff.registry import register

__all__ = ["Plain"]

_CLOSED = -2.0  # bias of the gates at the start: layers start close to the identity


class _Layer(nn.Module):
    def __init__(
        self,
        width: int,
        pair_width: int,
        message_width: int,
        heads: int,
        condition_width: int,
        expansion: int,
    ) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(condition_width, 6 * width)
        self.project = nn.Linear(width, 4 * width, bias=False)
        self.sum_atoms = nn.Linear(width, message_width, bias=False)
        self.message = nn.Linear(pair_width, message_width)
        self.split = (pair_width, heads)
        self.spread = nn.Linear(message_width, sum(self.split))
        self.out = nn.Linear(width, width)
        self.expand = nn.Linear(width, 2 * expansion * width)
        self.contract = nn.Linear(expansion * width, width)
        with torch.no_grad():
            self.modulate.bias.zero_()
            self.modulate.bias[4 * width :] = _CLOSED

    def forward(
        self,
        a: Float[Tensor, "b n width"],
        s: Float[Tensor, "b n condition"],
        p: Float[Tensor, "b e pair_width"],
    ) -> tuple[Float[Tensor, "b n width"], Float[Tensor, "b e pair_width"]]:
        scale_a, scale_f, shift_a, shift_f, gate_a, gate_f = self.modulate(s).chunk(6, -1)
        h = scale_a.sigmoid() * self.norm(a) + shift_a
        both = pair_selector(h.shape[1], h.device, 1)
        m = F.silu(both @ self.sum_atoms(h) + self.message(p))
        pair_update, bias = self.spread(m).split(self.split, -1)
        *qkv, gate = self.project(h).split((3 * self.width, self.width), -1)
        attended = pair_attention(qkv[0], bias) * gate.sigmoid()
        a = a + gate_a.sigmoid() * self.out(attended)
        h = scale_f.sigmoid() * self.norm(a) + shift_f
        first, second = self.expand(h).chunk(2, -1)
        a = a + gate_f.sigmoid() * self.contract(F.silu(first) * second)
        return a, p + pair_update


@register(
    "interaction",
    "plain",
    cites={
        "abramson2024": "supplementary algorithms 19, 20 and 23 to 26",
        "vaswani2017": "attention",
        "jumper2021": "algorithm 7, the pair bias",
    },
)
class Plain(Interaction):
    """Attention on plain coordinates, as in AlphaFold 3: not equivariant.

    Parameters
    ----------
    width, pair_width, message_width:
        Features per atom, per pair, and per message.
    layers, heads, channels:
        Depth, attention heads, and points per atom.
    context_width:
        Features of the whole graph, and of an atom's condition.
    expansion:
        Width of the transition relative to ``width``.
    """

    symmetry: ClassVar[Symmetry] = Symmetry.NONE

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
        expansion: int = 2,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.width, self.pair_width, self.message_width = width, pair_width, message_width
        self.heads, self.channels, self.context_width = heads, channels, context_width
        self.layers, self.expansion = layers, expansion
        self.condition = nn.Sequential(
            nn.Linear(width, context_width), nn.LayerNorm(context_width, elementwise_affine=False)
        )
        self.read = nn.Linear(3 * channels, width, bias=False)
        self.stack = nn.ModuleList(
            _Layer(width, pair_width, message_width, heads, context_width, expansion)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.write = nn.Linear(width, 3 * channels, bias=False)

    def forward(self, x: Features) -> Features:
        s = self.condition(x.atoms)
        # Input and output in 32 bits: rounding coordinates would move atoms by hundredths of an Å.
        with exact(x.points):
            a = x.atoms.float() + self.read(x.points.flatten(2))
        p = x.pairs
        for layer in self.stack:
            a, p = layer(a, s, p)
        with exact(x.points):
            displacements = self.write(self.norm(a.float())).view_as(x.points)
            points = x.points + displacements - displacements.mean(1, keepdim=True)
        return dataclasses.replace(x, atoms=a, pairs=p, points=points)
