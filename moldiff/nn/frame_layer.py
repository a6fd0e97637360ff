"""A layer of the backbone network: residues attend to residues (`moldiff.nn.frames`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.nn.residues import Keys, Pairs
from moldiff.precision import exact

__all__ = ["FrameLayer"]

_UNIT = 10.0  # Å, size of the points that residues read


class FrameLayer(nn.Module):
    """One layer of attention among residues with frames, and a feed-forward network."""

    def __init__(self, width: int, pair: int, heads: int, points: int, expansion: int) -> None:
        super().__init__()
        self.heads, self.pair, self.width = heads, pair, width
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.split = (width + pair, 2 * width + pair)
        self.read = nn.Linear(width, sum(self.split))
        self.point_count = 2 + points  # a query, a key, values
        self.place = nn.Linear(width, heads * self.point_count * 3, bias=False)
        self.pairs = nn.Linear(pair, pair, bias=False)
        self.bias = nn.Linear(pair, heads, bias=False)
        # The heads start with different reaches: 2 to 16 Å.
        self.reach = nn.Parameter(2.0 * 2.0 ** torch.linspace(0, 3, heads))
        self.out = nn.Linear(width + heads * (pair + 4 * points), width)
        self.expand = nn.Linear(width, expansion * width)
        self.contract = nn.Linear(expansion * width, width)
        for module in (self.out, self.contract):
            nn.init.zeros_(module.bias)
            with torch.no_grad():
                module.weight.mul_(0.3)

    def keys(
        self, h: Tensor, film: Tensor, x: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Keys]:
        """Return what residues ask: scalars and points; and what they show."""
        scale, shift = film.chunk(4, -1)[:2]
        hn = self.norm(h) * (1 + scale) + shift
        queries, shown = self.read(hn).split(self.split, -1)
        with exact(x):
            local = self.place(hn).to(x.dtype).unflatten(-1, (-1, 3))
            points = x.unsqueeze(2) + local @ frames.mT
            points = points.unflatten(2, (self.heads, self.point_count))
        return queries, points[..., 0, :], Keys(shown, points[..., 1:, :])

    def forward(
        self,
        h: Tensor,
        film: Tensor,
        queries: tuple[Tensor, Tensor],
        keys: Keys,
        x: Tensor,
        frames: Tensor,
        pairs: Pairs,
    ) -> Tensor:
        """Return refined features of residues that see others, with ``pairs`` between both."""
        b, n, width = h.shape
        query, receiver = queries[0].split((width, self.pair), -1)
        key, value, sender = keys.scalars.split((width, width, self.pair), -1)
        message = F.silu(
            self.pairs(pairs.features) + receiver.unsqueeze(2) + pairs.of_others(sender)
        )
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (query, key, value))
        logits = pairs.products(q, k) * q.shape[-1] ** -0.5
        logits = logits + self.bias(message).permute(0, 3, 1, 2)
        with exact(x):
            y, z = queries[1].transpose(1, 2), keys.points.transpose(1, 2)
            gamma = (0.5 / self.reach.square()).view(-1, 1, 1)
            point = z[..., 0, :]
            near = 2 * pairs.products(y, point) - pairs.values(point.square().sum(-1))
            weights = (logits.to(x.dtype) + gamma * near).softmax(-1)
            at = pairs.sums(weights, z[..., 1:, :].flatten(3)).transpose(1, 2).reshape(b, n, -1, 3)
            local = (at - x.unsqueeze(2)) @ frames / _UNIT
            size = (local.square().sum(-1) + 1e-4).sqrt()
        weights = weights.to(value.dtype)
        attended = pairs.sums(weights, v).transpose(1, 2).reshape(b, n, width)
        weights = weights.transpose(1, 2).flatten(0, 1)
        messages = (weights @ message.flatten(0, 1)).view(b, n, -1)
        sources = [attended, messages, local.flatten(2), size]
        h = h + self.out(torch.cat([s.to(attended.dtype) for s in sources], -1))
        scale, shift = film.chunk(4, -1)[2:]
        hn = self.norm(h) * (1 + scale) + shift
        return h + self.contract(F.silu(self.expand(hn)))
