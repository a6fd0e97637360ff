r"""SemlaFlow's network: messages in a small latent space, many sets of coordinates.

Per layer, with features h of 384, S = 64 coordinate sets X and all normalised first:

.. math::

    h_i &\leftarrow h_i + \varphi(h_i, \lVert X_i \rVert), \quad
    X_i \leftarrow X_i + W_3 \textstyle\sum_q \psi(h_i)\, (W_1 X_i)_q \\
    (a_{ij}, c_{ij}) &= \mathrm{MLP}(P h_i, P h_j, \langle X_i, X_j \rangle_s, e_{ij}) \\
    h_i &\leftarrow h_i + W \,\lVert \alpha_i \rVert \textstyle\sum_j \alpha_{ij} V h_j, \quad
    X_i \leftarrow X_i + U \,\lVert \beta_i \rVert \textstyle\sum_j \beta_{ij}
        \frac{Y_i - Y_j}{\lVert Y_i - Y_j \rVert}, \quad Y = Q X

with alpha (32 heads) and beta (one per set) the softmax of a and c over j.  Edges e of 128
enter the first layer and leave the last; a refinement and three heads follow.

Source: Irwin et al., "SemlaFlow: Efficient 3D Molecular Generation with Latent Attention
and Equivariant Flow Matching" (2025), section on the Semla architecture; the norms of the
attention weights keep the variance (Schäfl et al., GNN-VPA, 2024).  Sizes: the published
model's (12 layers, 384, 64 sets, messages and edges of 128, 32 heads, self-conditioning).

Approximated: the number of atoms enters as one feature, not through a learned table; a
time feature stands for whatever embedding was used; charges are not conditioned on.  The
vocabulary is QM9's.  None of this carries weight in time.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.benchmark.pairs import PairLinear, PeerNetwork, mlp

__all__ = ["Semla"]

_TYPES, _BONDS, _CHARGES = 5, 5, 7
_EPS = 1e-6

Points = Float[Tensor, "b n 3 sets"]


def _lengths(vectors: Float[Tensor, "*sites 3 sets"]) -> Float[Tensor, "*sites 1 sets"]:
    # Not linalg.vector_norm: over a short middle dimension it takes half of the network's time.
    return vectors.square().sum(-2, keepdim=True).sqrt()


class _SetNorm(nn.Module):
    """Centres every coordinate set, and divides it by its mean length if ``scaled``."""

    def __init__(self, sets: int, *, scaled: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(sets))
        self.scaled = scaled

    def forward(self, points: Points) -> Points:
        points = points - points.mean(1, keepdim=True)
        weighted = points * self.weight
        if not self.scaled:
            return weighted
        return weighted / (_lengths(points).mean(1, keepdim=True) + _EPS)


class _FeedForward(nn.Module):
    """Updates of features and coordinate sets, atom by atom."""

    def __init__(self, width: int, sets: int, hidden_sets: int, *, lean: bool) -> None:
        super().__init__()
        self.norm, self.set_norm = nn.LayerNorm(width), _SetNorm(sets)
        self.invariant = mlp(width + sets, 4 * width, width)
        self.gate = mlp(width, hidden_sets, hidden_sets)
        self.enter = nn.Linear(sets, hidden_sets, bias=False)
        self.leave = nn.Linear(hidden_sets, sets, bias=False)
        self.lean = lean

    def forward(
        self, h: Float[Tensor, "b n width"], points: Points
    ) -> tuple[Float[Tensor, "b n width"], Points]:
        h, points = self.norm(h), self.set_norm(points)
        update = self.invariant(torch.cat([h, _lengths(points).squeeze(2)], -1))
        gate, inside = self.gate(h).unsqueeze(2), self.enter(points)
        if self.lean:
            mixed = gate * inside.sum(-1, keepdim=True)
        else:
            mixed = (gate.unsqueeze(-1) * inside.unsqueeze(-2)).sum(-1)
        return update, self.leave(mixed)


class _Layer(nn.Module):
    def __init__(
        self,
        width: int,
        sets: int,
        message: int,
        heads: int,
        *,
        edge_in: int = 0,
        edge_out: int = 0,
        lean: bool,
    ) -> None:
        super().__init__()
        self.heads, self.split = heads, (heads, sets, edge_out)
        out = sum(self.split)
        self.feed = _FeedForward(width, sets, message, lean=lean)
        self.norm, self.pair_norm = nn.LayerNorm(width), _SetNorm(sets, scaled=False)
        self.edge_norm = nn.LayerNorm(edge_in) if edge_in else None
        self.latent = nn.Linear(width, message)
        # Layers that exchange edges have hidden messages as wide as their output.
        hidden = out if edge_in or edge_out else message
        self.message_in = PairLinear(message, sets + edge_in, hidden, lean=lean)
        self.message_out = nn.Sequential(nn.SiLU(), nn.Linear(hidden, out))
        self.value_norm = nn.LayerNorm(width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.set_norm = _SetNorm(sets)
        self.enter = nn.Linear(sets, sets, bias=False)
        self.leave = nn.Linear(sets, sets, bias=False)

    def forward(
        self,
        h: Float[Tensor, "b n width"],
        points: Points,
        edges: Float[Tensor, "b n n edge"] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, points and, from a layer that makes them, edges (else none)."""
        update, move = self.feed(h, points)
        h, points = h + update, points + move
        shape = self.pair_norm(points).permute(0, 3, 1, 2)
        pairs = (shape @ shape.transpose(-1, -2)).permute(0, 2, 3, 1)
        if self.edge_norm is not None and edges is not None:
            pairs = torch.cat([pairs, self.edge_norm(edges)], -1)
        message = self.message_out(self.message_in(self.latent(self.norm(h)), pairs))
        scores, forces, edges_out = message.split(self.split, -1)
        return h + self._attend(h, scores), points + self._pull(points, forces), edges_out

    def _attend(
        self, h: Float[Tensor, "b n width"], scores: Float[Tensor, "b n n heads"]
    ) -> Float[Tensor, "b n width"]:
        weights = scores.softmax(2).permute(0, 3, 1, 2)
        values = self.value(self.value_norm(h)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        norm = weights.square().sum(-1, keepdim=True).sqrt()
        result: Tensor = self.out((norm * (weights @ values)).transpose(1, 2).flatten(2))
        return result

    def _pull(self, points: Points, forces: Float[Tensor, "b n n sets"]) -> Points:
        weights = forces.softmax(2)
        inside = self.enter(self.set_norm(points))
        apart = inside.unsqueeze(2) - inside.unsqueeze(1)
        unit = apart / (_lengths(apart) + _EPS)
        norm = weights.square().sum(2).sqrt().unsqueeze(2)
        result: Tensor = self.leave((unit * weights.unsqueeze(3)).sum(2) * norm)
        return result


class _Refinement(nn.Module):
    """A last message over the final coordinates, which becomes the edge features."""

    def __init__(self, width: int, message: int, edge: int, *, lean: bool) -> None:
        super().__init__()
        self.norm, self.edge_norm = nn.LayerNorm(width), nn.LayerNorm(edge)
        self.latent = nn.Linear(width, message)
        self.enter = PairLinear(message, edge + 2, message, lean=lean)
        self.leave = nn.Sequential(nn.SiLU(), nn.Linear(message, edge))

    def forward(
        self,
        x: Float[Tensor, "b n 3"],
        h: Float[Tensor, "b n width"],
        edges: Float[Tensor, "b n n edge"],
    ) -> Float[Tensor, "b n n edge"]:
        square = (x.unsqueeze(2) - x.unsqueeze(1)).square().sum(-1)
        pairs = torch.cat([torch.stack([square, x @ x.mT], -1), self.edge_norm(edges)], -1)
        result: Tensor = self.leave(self.enter(self.latent(self.norm(h)), pairs))
        return result


class Semla(PeerNetwork):
    """The network of SemlaFlow; ``lean`` changes the cost of an evaluation, not its result."""

    def __init__(
        self,
        *,
        width: int = 384,
        layers: int = 12,
        sets: int = 64,
        message: int = 128,
        edge: int = 128,
        heads: int = 32,
        lean: bool = False,
    ) -> None:
        super().__init__()
        self.atoms_in = mlp(2 * _TYPES + 2, width, width)  # now and before; time, size
        self.edges_in = mlp(2 * _BONDS, edge, edge)
        self.points_in = nn.Linear(2, sets, bias=False)
        ends = {0: {"edge_in": edge}, layers - 1: {"edge_out": edge}}
        self.layers = nn.ModuleList(
            _Layer(width, sets, message, heads, lean=lean, **ends.get(k, {})) for k in range(layers)
        )
        self.feed = _FeedForward(width, sets, sets, lean=lean)
        self.set_norm, self.points_out = _SetNorm(sets), nn.Linear(sets, 1, bias=False)
        self.refine = _Refinement(width, message, edge, lean=lean)
        self.norm, self.edge_norm = nn.LayerNorm(width), nn.LayerNorm(edge)
        self.types, self.charges = mlp(width, width, _TYPES), mlp(width, width, _CHARGES)
        self.bonds = mlp(edge, edge, _BONDS)

    def forward(
        self,
        positions: Float[Tensor, "b n 3"],
        previous: Float[Tensor, "b n 3"],
        features: Float[Tensor, "b n inputs"],
        bonds: Float[Tensor, "b n n bond_inputs"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return positions (b, n, 3) and logits of types, charges and bonds (b, n, n, 5)."""
        h = self.atoms_in(features)
        points = self.points_in(torch.stack([positions, previous], -1))
        edges: Tensor | None = self.edges_in(bonds)
        for layer in self.layers:
            h, points, edges = layer(h, points, edges)
        assert edges is not None
        h, points = self.feed(h, points)
        x = self.points_out(self.set_norm(points)).squeeze(-1)
        edges = self.refine(x, h, edges)
        h, edges = self.norm(h), self.edge_norm(edges + edges.transpose(1, 2))
        return x, self.types(h), self.charges(h), self.bonds(edges)

    def example(self, b: int, n: int, *, rng: torch.Generator) -> tuple[Tensor, ...]:
        bonds = torch.rand(b, n, n, 2 * _BONDS, generator=rng)
        return (
            torch.randn(b, n, 3, generator=rng),
            torch.randn(b, n, 3, generator=rng),
            torch.rand(b, n, 2 * _TYPES + 2, generator=rng),
            bonds + bonds.transpose(1, 2),
        )
