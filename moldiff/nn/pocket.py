"""The pocket encoder: scalar and vector features of pocket atoms, once per pocket."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.nn.inputs import PocketInput, PocketState
from moldiff.precision import exact

__all__ = ["PocketEncoder", "neighbours", "radial"]


def radial(distance: Float[Tensor, "*s"], reach: float, count: int) -> Float[Tensor, "*s d"]:
    """Expand distances in Å in ``count`` Gaussians with centres from 0 to ``reach``."""
    centres = torch.linspace(0, reach, count, device=distance.device, dtype=distance.dtype)
    return torch.exp(-0.5 * ((distance.unsqueeze(-1) - centres) * (count / reach)).square())


def neighbours(
    x: Float[Tensor, "a 3"], of: Float[Tensor, "m 3"], k: int, *, skip: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the k nearest of m points to each of a points.

    Returns indices (a, k), nearest first, unit vectors (a, k, 3) towards them and distances (a, k)
    in Å;
    ``skip`` leaves out the nearest (1 if the a points are themselves among the m points).
    """
    with torch.no_grad():
        apart = torch.cdist(x, of, compute_mode="use_mm_for_euclid_dist")
        k = min(k, len(of) - skip)
        index = apart.topk(k + skip, largest=False).indices[:, skip:]
    towards = of[index] - x.unsqueeze(1)
    distance = (towards.square().sum(-1) + 1e-4).sqrt()
    return index, towards / distance.unsqueeze(-1), distance


class _Layer(nn.Module):
    def __init__(self, width: int, channels: int, basis: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.here = nn.Linear(width, width)
        self.there = nn.Linear(width, width, bias=False)
        self.radial = nn.Linear(basis, width, bias=False)
        self.own = nn.Linear(channels, width, bias=False)
        self.gate = nn.Linear(width, channels)
        self.update = nn.Sequential(
            nn.Linear(2 * width + channels, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, h: Tensor, v: Tensor, index: Tensor, unit: Tensor, basis: Tensor
    ) -> tuple[Tensor, Tensor]:
        hn = self.norm(h)
        with exact(h):
            angles = unit @ v.mT
        edge = self.radial(basis) + self.own(angles) + F.embedding(index, self.there(hn))
        e = F.silu(edge + self.here(hn).unsqueeze(1))
        gate, scale = self.gate(e), index.shape[1] ** -0.5
        with exact(h):
            v = v + scale * gate.to(v.dtype).mT @ unit
            length = (v.square().sum(-1) + 1e-4).sqrt()
        return h + self.update(torch.cat([hn, e.sum(1) * scale, length], -1)), v


class PocketEncoder(nn.Module):
    """Message passing among each atom's ``k`` nearest (Satorras et al., EGNN, 2021, with the
    vector features of Schütt et al., PaiNN, 2021)."""

    def __init__(
        self, width: int, channels: int, *, layers: int, k: int, tokens: int, basis: int = 16
    ) -> None:
        super().__init__()
        self.channels, self.k, self.basis = channels, k, basis
        self.tokens = nn.Embedding(tokens, width)
        self.buried = nn.Linear(3, width)
        self.start = nn.Parameter(torch.randn(channels))
        self.layers = nn.ModuleList(_Layer(width, channels, basis) for _ in range(layers))

    def forward(self, pocket: PocketInput) -> PocketState:
        """Return the features of a pocket."""
        x = pocket.positions
        with exact(x):
            index, unit, distance = neighbours(x, x, self.k, skip=1)
            basis = radial(distance, 6.0, self.basis)
            counts = _burial(x)
        h = self.tokens(pocket.tokens) + self.buried(counts)
        with exact(x):
            v = self.start.unsqueeze(1) * unit.mean(1, keepdim=True)
        for layer in self.layers:
            h, v = layer(h, v, index, unit, basis)
        return PocketState(x, h, v, pocket.centre)


def _burial(x: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
    """Numbers of atoms within 5, 8 and 12 Å, scaled to about one."""
    square = torch.cdist(x, x)
    counts = [(square < reach).sum(1) / typical for reach, typical in _SHELLS]
    return torch.stack(counts, 1).to(x.dtype)


_SHELLS = ((5.0, 25.0), (8.0, 75.0), (12.0, 200.0))
