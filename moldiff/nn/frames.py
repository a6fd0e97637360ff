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

For sequences nothing moves.  Each residue sees its nearest ones, also by the distances of N, CA,
C, C-beta and O between both, which is what ProteinMPNN sees (Dauparas et al., Science 378 (2022)
49); the last layer tells which amino acids the hidden ones are.

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
from moldiff.nn.frame_geometry import (
    atom_distances,
    gathered,
    gaussians,
    nearest_residues,
    pair_features,
    turned,
)
from moldiff.nn.frame_layer import FrameLayer
from moldiff.nn.residues import (
    BackboneInput,
    BackboneState,
    Pairs,
    Residues,
    Surroundings,
    SurroundingsState,
)
from moldiff.precision import exact
from moldiff.registry import register

__all__ = ["FrameNetwork"]

_STEP = 4.0  # Å, a step of unit size of the last layer of a block


@register(
    "network",
    "frames",
    context=("type_classes", "designs", "states"),
    cites={
        "jumper2021": "supplement, algorithms 20 to 23: points, backbone updates",
        "yim2023": "denoising of frames",
        "zhou2019": "section 4: rotations from two vectors",
        "peebles2023": "adaptive layer norm for the time",
        "dauparas2022": "sequences: distances of backbone atoms among the nearest residues",
        "ou2025": "sequences: a mask leaves nothing for the time to say",
    },
)
class FrameNetwork(Network):
    """Network from noisy residues in their surroundings to where they are and how turned.

    Or, if their types are what is noised, from backbones and some types to the other types.

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
    neighbours:
        Residues of a backbone that each sees, itself among them; of gaps all are seen.
    type_classes:
        Number of classes of amino acids, with that of the unknown.
    designs:
        Whether types are found, and nothing moves.
    states:
        Number of classes of secondary structure that whole chains are told, which also see their
        prediction before; 0 for gaps.
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
        neighbours: int = 40,
        *,
        type_classes: int,
        designs: bool = False,
        states: int = 0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.width, self.pair_width, self.blocks, self.layers = width, pair_width, blocks, layers
        self.heads, self.points, self.expansion = heads, points, expansion
        self.reach, self.basis, self.type_classes = reach, basis, type_classes
        self.neighbours, self.designs, self.states = neighbours, designs, states
        self.types = nn.Embedding(type_classes, width)
        self.apart = nn.Embedding(2 * reach + 1, pair_width)
        self.sight = nn.Linear(15 + basis, pair_width)
        self.context = nn.Sequential(nn.Linear(32, width), nn.SiLU())
        self.film = nn.Linear(width, blocks * layers * 4 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        self.stack = nn.ModuleList(
            FrameLayer(width, pair_width, heads, points, expansion) for _ in range(blocks * layers)
        )
        self.norm = nn.LayerNorm(width)
        if designs:
            self.between = nn.Linear(25 * basis, pair_width, bias=False)
            self.letters = nn.Linear(width, type_classes)
            nn.init.zeros_(self.between.weight)
            nn.init.zeros_(self.letters.weight)
            nn.init.zeros_(self.letters.bias)
            return
        self.moving = nn.Parameter(0.5 * torch.randn(width))
        if states:
            self.blueprint = nn.Embedding(states, width)
            self.before = nn.Linear(15 + basis, pair_width, bias=False)
            nn.init.zeros_(self.blueprint.weight)
            nn.init.zeros_(self.before.weight)
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
        """Return the context with its ``surroundings`` or its ``backbone`` encoded as features."""
        around, backbone = context.get("surroundings"), context.get("backbone")
        if isinstance(around, Surroundings):
            return {**context, "surroundings": self._surroundings(around)}
        if isinstance(backbone, BackboneInput):
            return {**context, "backbone": BackboneState(backbone, self._seen(backbone))}
        return context

    def _surroundings(self, around: Surroundings) -> SurroundingsState:
        x, frames = around.positions, around.frames
        h = self.types(around.residues.types)
        films = self._films(x.new_zeros(len(x), 1))
        pairs = self._pairs(x, frames, around.residues, (x, frames, around.residues))
        states = []
        for layer, film in zip(self._stack, films, strict=True):
            *asked, shown = layer.keys(h, film, x, frames)
            states.append(shown)
            if len(states) < len(self.stack):  # nothing reads what comes after the last layer
                h = layer(h, film, tuple(asked), shown, x, frames, Pairs(pairs))
        return SurroundingsState(around, tuple(states))

    def _seen(self, backbone: BackboneInput) -> Pairs:
        """What residues of backbones see of their nearest."""
        x, frames, places = backbone.positions, backbone.frames, backbone.places
        with torch.no_grad():  # where residues are has no gradient
            near = nearest_residues(x, self.neighbours)
            to, to_frames = (gathered(value, near).flatten(0, 1) for value in (x, frames))
            one, own = (value.flatten(0, 1).unsqueeze(1) for value in (x, frames))
            seen = pair_features(one, own, to, to_frames, self.basis).view(*near.shape, -1)
            distances = atom_distances(backbone.atoms, near)
            apart = gathered(places, near) - places.unsqueeze(-1)
        # One backbone after the other: their Gaussians are many, and stay in the cache.
        between = torch.stack([self.between(gaussians(d, self.basis)) for d in distances])
        return Pairs(self._embedded(seen, apart, between), near)

    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Batch:
        """Return where residues are and how turned, ``positions`` in Å and ``frames``.

        The context holds ``residues``, and ``surroundings`` of gaps.  Each of their g rows is for
        b / g graphs, one after the other.  With ``states`` it holds ``blueprint`` (b, n) as well.
        A network that ``designs`` returns logits of ``types``; its context holds ``backbone``, in g
        rows as well.
        """
        context = self.encode(x.context)
        if self.designs:
            return Batch({"types": self._letters(x["types"], context["backbone"])}, x.context)
        return self._placed(x, field_times(t, "frames"), context, previous)

    def _letters(self, types: Tensor, state: BackboneState) -> Tensor:
        """Logits of types (b, n, k).

        Residues stay where they are, so their time is 0.  How many types are hidden is seen.
        """
        x, frames, pairs = state.repeated(len(types))
        h = self.types(types)
        for layer, film in zip(self._stack, self._films(x.new_zeros(1, 1)), strict=True):
            *asked, shown = layer.keys(h, film, x, frames)
            h = layer(h, film, tuple(asked), shown, x, frames, pairs)
        return self.letters(self.norm(h))

    def _placed(
        self, x: Batch, times: Tensor, context: Mapping[str, Any], previous: Batch | None
    ) -> Batch:
        """Positions and frames, moved by every block."""
        state: SurroundingsState | None = context.get("surroundings")
        residues = context["residues"].repeated(x.graphs)
        films = self._films(times if times.ndim > 1 else times.unsqueeze(1))
        points, frames = x["positions"], x["frames"]
        h = self.types(residues.types) + self.moving
        if self.states:
            h = h + self.blueprint(context["blueprint"])
        around = None if state is None else state.surroundings.repeated(x.graphs)
        before = self._before(previous) if self.states and previous is not None else 0.0
        for k, (layer, film) in enumerate(zip(self._stack, films, strict=True)):
            if k % self.layers == 0:
                others = [(points, frames, residues)]
                if around is not None:
                    others.append((around.positions, around.frames, around.residues))
                shown_before = (before, 0.0)  # of what stays nothing is predicted
                pairs = [
                    self._pairs(points, frames, residues, o, b)
                    for o, b in zip(others, shown_before, strict=False)
                ]
            *asked, shown = layer.keys(h, film, points, frames)
            if state is not None:
                shown = shown.joined(state.layers[k].repeated(x.graphs))
            h = layer(h, film, tuple(asked), shown, points, frames, Pairs(torch.cat(pairs, 2)))
            if (k + 1) % self.layers == 0:
                points, frames = self._moved(k // self.layers, h, points, frames)
        return Batch({"positions": points, "frames": frames}, x.context)

    @property
    def _stack(self) -> Iterable[FrameLayer]:
        return cast(Iterable[FrameLayer], self.stack)

    def _films(self, t: Float[Tensor, "b sites"]) -> tuple[Tensor, ...]:
        """The scales and shifts of each layer, for every site or for all, (b, n or 1, 4 width)."""
        return self.film(self.context(time_features(t, 16))).chunk(len(self.stack), -1)

    def _pairs(
        self,
        x: Tensor,
        frames: Tensor,
        residues: Residues,
        others: tuple[Tensor, Tensor, Residues],
        before: Tensor | float = 0.0,
    ) -> Tensor:
        """The features of pairs (b, n, m, pair_width) between residues and others."""
        seen = pair_features(x, frames, *others[:2], self.basis)
        apart = others[2].places.unsqueeze(1) - residues.places.unsqueeze(2)
        return self._embedded(seen, apart, before)

    def _before(self, previous: Batch) -> Tensor:
        """What the residues of whole chains see of one another in the prediction before."""
        x, frames = previous["trace"], previous["frames"]
        seen: Tensor = self.before(pair_features(x, frames, x, frames, self.basis))
        return seen

    def _embedded(self, seen: Tensor, apart: Tensor, more: Tensor | float = 0.0) -> Tensor:
        place = self.apart(apart.clamp(-self.reach, self.reach) + self.reach)
        return F.silu(self.sight(seen) + place + more)

    def _moved(self, block: int, h: Tensor, x: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        step = self.steps[block](self.norm(h)).to(x.dtype)
        with exact(x):
            move = (frames @ (_STEP * step[..., :3]).unsqueeze(-1)).squeeze(-1)
            return x + move, turned(frames, step[..., 3:])
