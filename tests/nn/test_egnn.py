"""The EGNN layer against its equations, written as loops over atoms."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from moldiff.diffusion.batch import pair_indices
from moldiff.nn import EGNN
from moldiff.nn.embed import Features


def test_layer_follows_the_paper() -> None:
    n, width, channels = 4, 6, 2
    layer: Any = EGNN(
        width=width, pair_width=5, message_width=7, layers=1, channels=channels, context_width=3
    ).stack[0]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    points = torch.randn(1, n, channels, 3)
    points = points - points.mean(1, keepdim=True)
    x = Features(torch.randn(1, n, width), torch.randn(1, 6, 5), points, torch.randn(1, 3))

    shift, scale = layer.modulate(x.context)[0].chunk(2)
    h = layer.norm(x.atoms[0]) * (1 + scale) + shift
    near, far = layer.ends(h).chunk(2, -1)
    moved, gathered, pairs = points[0].clone(), torch.zeros(n, 7), x.pairs[0].clone()
    for e, (i, j) in enumerate(zip(*pair_indices(n, points.device), strict=True)):
        for a, b in ((i, j), (j, i)):
            apart = points[0, a] - points[0, b]
            metric = layer.metric(apart.square().sum(-1).log1p())
            hidden = F.silu(near[a] + far[b] + layer.pair(x.pairs[0, e]) + metric)
            m = F.silu(layer.message(hidden))
            unit = apart / (1 + apart.norm(dim=-1, keepdim=True))
            moved[a] += unit * layer.gate(m).unsqueeze(-1) / n**0.5
            gathered[a] += m / n**0.5
            pairs[e] += F.linear(m, layer.pair_update.weight) + layer.pair_update.bias / 2
    moved = layer.mix @ moved
    atoms = x.atoms[0] + layer.update(torch.cat([h, gathered], -1))

    result = layer(x)
    torch.testing.assert_close(result.points[0], moved - moved.mean(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(result.atoms[0], atoms, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(result.pairs[0], pairs, atol=1e-4, rtol=1e-4)
