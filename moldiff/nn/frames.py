r"""The backbone network: residues with frames, among themselves and in given surroundings.

Per layer, every residue i attends to all residues j, those that move and those that do not:

.. math::

    m_{ij} &= \mathrm{SiLU}(A h_i + B h_j + P p_{ij}) \\
    a_{ij} &= \mathrm{softmax}_j (q_i \cdot k_j / \sqrt d + b(m_{ij}) - \gamma |y_i - z_j|^2) \\
    h_i &\leftarrow h_i + W [\textstyle\sum_j a_{ij} v_j,\; \sum_j a_{ij} m_{ij},\;
        R_i^T (\sum_j a_{ij} z'_j - x_i)], \qquad h_i \leftarrow h_i + \mathrm{FFN}(h_i)

with p the directed features of a pair (`pair_features`) and the points y, z, z' of residues placed
by their frames: invariant point attention (Jumper et al., AlphaFold 2, 2021, supplement, algorithm
22), whose squared distances and sums over points are products of matrices.  After every block of
layers, residues move and turn in their own frames, and the pairs are seen anew.  All features are
seen from frames, so the network turns with its input; frames are right-handed, so it tells mirror
images apart.

Surroundings pass through the same layers, at time 0, without seeing what moves: they are encoded
once for all noise levels and samples.  Time enters by adaptive layer norm (Peebles & Xie, 2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.time import Time, field_times
from moldiff.nn.embed import time_features
from moldiff.nn.frame_geometry import pair_features, turned
from moldiff.nn.pocket import exact
from moldiff.nn.residues import Keys, Residues, Surroundings, SurroundingsState
from moldiff.registry import register

__all__ = ["FrameNetwork"]

_UNIT = 10.0  # Å, size of the points that residues read
_STEP = 4.0  # Å, a step of unit size of the last layer of a block


class _Layer(nn.Module):
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
        pairs: Tensor,
    ) -> Tensor:
        """Return refined features of residues that see others, with ``pairs`` between both."""
        (b, n, width), m = h.shape, keys.scalars.shape[1]
        query, receiver = queries[0].split((width, self.pair), -1)
        key, value, sender = keys.scalars.split((width, width, self.pair), -1)
        message = F.silu(self.pairs(pairs) + receiver.unsqueeze(2) + sender.unsqueeze(1))
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (query, key, value))
        logits = q @ k.mT * q.shape[-1] ** -0.5 + self.bias(message).permute(0, 3, 1, 2)
        with exact(x):
            y, z = queries[1].transpose(1, 2), keys.points.transpose(1, 2)
            gamma = (0.5 / self.reach.square()).view(-1, 1, 1)
            near = 2 * (y @ z[..., 0, :].mT) - z[..., 0, :].square().sum(-1).unsqueeze(2)
            weights = (logits.to(x.dtype) + gamma * near).softmax(-1)
            at = (weights @ z[..., 1:, :].flatten(3)).transpose(1, 2).reshape(b, n, -1, 3)
            local = (at - x.unsqueeze(2)) @ frames / _UNIT
            size = (local.square().sum(-1) + 1e-4).sqrt()
        weights = weights.to(value.dtype)
        attended = (weights @ v).transpose(1, 2).reshape(b, n, width)
        messages = (weights.transpose(1, 2).reshape(b * n, -1, m) @ message.flatten(0, 1)).view(
            b, n, -1
        )
        sources = [attended, messages, local.flatten(2), size]
        h = h + self.out(torch.cat([s.to(attended.dtype) for s in sources], -1))
        scale, shift = film.chunk(4, -1)[2:]
        hn = self.norm(h) * (1 + scale) + shift
        return h + self.contract(F.silu(self.expand(hn)))


@register(
    "network",
    "frames",
    context=("type_classes",),
    cites={
        "jumper2021": "supplement, algorithms 20 to 23: points, backbone updates",
        "yim2023": "denoising of frames",
        "zhou2019": "section 4: rotations from two vectors",
        "peebles2023": "adaptive layer norm for the time",
    },
)
class FrameNetwork(Network):
    """Network from noisy residues in their surroundings to where they are and how turned.

    Parameters
    ----------
    width, pair_width:
        Features per residue and per pair.
    blocks, layers:
        Blocks, after each of which the residues move, and layers of each.
    heads, points:
        Attention heads, and points that each gathers.
    expansion:
        Width of the feed-forward network relative to ``width``.
    reach:
        Farthest place along the chain that is told apart.
    basis:
        Gaussians of a distance.
    type_classes:
        Number of classes of amino acids, with that of the unknown.
    """

    def __init__(
        self,
        width: int = 128,
        pair_width: int = 32,
        blocks: int = 3,
        layers: int = 2,
        heads: int = 8,
        points: int = 4,
        expansion: int = 3,
        reach: int = 24,
        basis: int = 16,
        *,
        type_classes: int,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.width, self.pair_width, self.blocks, self.layers = width, pair_width, blocks, layers
        self.heads, self.points, self.expansion = heads, points, expansion
        self.reach, self.basis, self.type_classes = reach, basis, type_classes
        self.types = nn.Embedding(type_classes, width)
        self.moving = nn.Parameter(0.5 * torch.randn(width))
        self.apart = nn.Embedding(2 * reach + 1, pair_width)
        self.sight = nn.Linear(15 + basis, pair_width)
        self.context = nn.Sequential(nn.Linear(32, width), nn.SiLU())
        self.film = nn.Linear(width, blocks * layers * 4 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        self.stack = nn.ModuleList(
            _Layer(width, pair_width, heads, points, expansion) for _ in range(blocks * layers)
        )
        self.norm = nn.LayerNorm(width)
        self.steps = nn.ModuleList(nn.Linear(width, 9) for _ in range(blocks))
        for step in cast(Iterable[nn.Linear], self.steps):
            nn.init.zeros_(step.bias)
            with torch.no_grad():
                step.weight.mul_(0.1)

    @property
    def symmetry(self) -> Symmetry:
        return Symmetry.SE3

    def matrices(self) -> Iterator[nn.Parameter]:
        return self.stack.parameters()

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the context with its ``surroundings``, if there are any, encoded as features."""
        around = context.get("surroundings")
        if not isinstance(around, Surroundings):
            return context
        x, frames = around.positions, around.frames
        h = self.types(around.residues.types)
        films = self._films(x.new_zeros(len(x), 1))
        pairs = self._pairs(x, frames, around.residues, (x, frames, around.residues))
        states = []
        for layer, film in zip(self._stack, films, strict=True):
            *asked, shown = layer.keys(h, film, x, frames)
            states.append(shown)
            if len(states) < len(self.stack):  # nothing reads what comes after the last layer
                h = layer(h, film, tuple(asked), shown, x, frames, pairs)
        return {**context, "surroundings": SurroundingsState(around, tuple(states))}

    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Batch:
        """Return where residues are and how turned, ``positions`` in Å and ``frames``.

        The context holds ``residues``, and ``surroundings`` or None.  Each of their g rows is for
        b / g graphs, one after the other.
        """
        context = self.encode(x.context)
        state: SurroundingsState | None = context.get("surroundings")
        residues = context["residues"].repeated(x.graphs)
        times = field_times(t, "frames")
        films = self._films(times if times.ndim > 1 else times.unsqueeze(1))
        points, frames = x["positions"], x["frames"]
        h = self.types(residues.types) + self.moving
        around = None if state is None else state.surroundings.repeated(x.graphs)
        for k, (layer, film) in enumerate(zip(self._stack, films, strict=True)):
            if k % self.layers == 0:
                others = [(points, frames, residues)]
                if around is not None:
                    others.append((around.positions, around.frames, around.residues))
                pairs = torch.cat([self._pairs(points, frames, residues, o) for o in others], 2)
            *asked, shown = layer.keys(h, film, points, frames)
            if state is not None:
                shown = shown.joined(state.layers[k].repeated(x.graphs))
            h = layer(h, film, tuple(asked), shown, points, frames, pairs)
            if (k + 1) % self.layers == 0:
                points, frames = self._moved(k // self.layers, h, points, frames)
        return Batch({"positions": points, "frames": frames}, x.context)

    @property
    def _stack(self) -> Iterable[_Layer]:
        return cast(Iterable[_Layer], self.stack)

    def _films(self, t: Float[Tensor, "b sites"]) -> tuple[Tensor, ...]:
        """The scales and shifts of each layer, for every site or for all, (b, n or 1, 4 width)."""
        return self.film(self.context(time_features(t, 16))).chunk(len(self.stack), -1)

    def _pairs(
        self,
        x: Tensor,
        frames: Tensor,
        residues: Residues,
        others: tuple[Tensor, Tensor, Residues],
    ) -> Tensor:
        """The features of pairs (b, n, m, pair_width) between residues and others."""
        seen = pair_features(x, frames, *others[:2], self.basis)
        apart = others[2].places.unsqueeze(1) - residues.places.unsqueeze(2)
        place = self.apart(apart.clamp(-self.reach, self.reach) + self.reach)
        return F.silu(self.sight(seen) + place)

    def _moved(self, block: int, h: Tensor, x: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        step = self.steps[block](self.norm(h)).to(x.dtype)
        with exact(x):
            move = (frames @ (_STEP * step[..., :3]).unsqueeze(-1)).squeeze(-1)
            return x + move, turned(frames, step[..., 3:])
