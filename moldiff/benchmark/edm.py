r"""EDM's network: nine equivariant blocks on the fully connected directed graph.

With features h of 256, positions x, squared distances d^2 now and d_0^2 at the input:

.. math::

    m_{ij} &= \varphi_e(h_i, h_j, d_{ij}^2, d_{0,ij}^2) \\
    h_i &\leftarrow h_i
        + \varphi_h(h_i, \textstyle\sum_{j \ne i} \sigma(\varphi_a(m_{ij})) m_{ij}) \\
    x_i &\leftarrow x_i + \textstyle\sum_{j \ne i} \frac{x_i - x_j}{d_{ij} + 1}
        \, c \tanh \varphi_x(h_i, h_j, d_{ij}^2, d_{0,ij}^2)

The prediction is the displacement, with zero mean, and the features.  Source: Hoogeboom
et al., "Equivariant Diffusion for Molecule Generation in 3D" (2022), section 3.2 and
appendix on the QM9 settings; the layer is that of Satorras et al., EGNN (2021).  Inputs:
five elements, the atomic number, and time.  The equations give 5,339,920 parameters,
as published (5.3 million).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.benchmark.pairs import PairLinear, PeerNetwork, mlp

__all__ = ["EDM"]

_INPUTS = 7  # five elements one-hot, atomic number, time
_REACH = 15.0  # largest displacement, shared by the blocks


class _Block(nn.Module):
    def __init__(self, width: int, reach: float, *, lean: bool) -> None:
        super().__init__()
        self.reach = reach
        self.message_in = PairLinear(width, 2, width, lean=lean)
        self.message_out = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.attention = nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())
        self.node = mlp(2 * width, width, width)
        self.force_in = PairLinear(width, 2, width, lean=lean)
        self.force_out = nn.Sequential(
            nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1, bias=False)
        )

    def forward(
        self,
        h: Float[Tensor, "b n width"],
        x: Float[Tensor, "b n 3"],
        start: Float[Tensor, "b n n 1"],
        others: Float[Tensor, "1 n n 1"],
    ) -> tuple[Float[Tensor, "b n width"], Float[Tensor, "b n 3"]]:
        apart = x.unsqueeze(2) - x.unsqueeze(1)
        square = apart.square().sum(-1, keepdim=True)
        pairs = torch.cat([square, start], -1)
        message = self.message_out(self.message_in(h, pairs))
        message = message * self.attention(message) * others
        h = h + self.node(torch.cat([h, message.sum(2)], -1))
        force = torch.tanh(self.force_out(self.force_in(h, pairs))) * self.reach
        direction = apart / ((square + 1e-8).sqrt() + 1)
        return h, x + (direction * force * others).sum(2)


class EDM(PeerNetwork):
    """The network of EDM; ``lean`` changes the cost of an evaluation, not its result."""

    def __init__(self, *, width: int = 256, blocks: int = 9, lean: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Linear(_INPUTS, width)
        self.blocks = nn.ModuleList(
            _Block(width, _REACH / blocks, lean=lean) for _ in range(blocks)
        )
        self.output = nn.Linear(width, _INPUTS)

    def forward(
        self, positions: Float[Tensor, "b n 3"], features: Float[Tensor, "b n 7"]
    ) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n 6"]]:
        """Return the predicted noise of positions and features (without time)."""
        n = positions.shape[1]
        others = (1 - torch.eye(n, device=positions.device)).view(1, n, n, 1)
        start = (positions.unsqueeze(2) - positions.unsqueeze(1)).square().sum(-1, keepdim=True)
        h, x = self.embedding(features), positions
        for block in self.blocks:
            h, x = block(h, x, start, others)
        velocity = x - positions
        velocity = velocity - velocity.mean(1, keepdim=True)
        return velocity, self.output(h)[..., : _INPUTS - 1]

    def example(self, b: int, n: int, *, rng: torch.Generator) -> tuple[Tensor, ...]:
        positions = torch.randn(b, n, 3, generator=rng)
        return positions - positions.mean(1, keepdim=True), torch.rand(b, n, _INPUTS, generator=rng)
