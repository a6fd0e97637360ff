r"""Networks of poses in an encoded pocket: the layers that they share.

Per layer, atoms h (invariant) and C vectors V (equivariant) of every pose read, in parallel,

* the ligand: attention biased by messages of all pairs,
  :math:`m_{ij} = \mathrm{SiLU}(A h_i + B h_j + S_{ij} + R(d_{ij}) + D\, V_j \cdot u_{ij})`,
  with S from bonds, graph distance and the rotors in between; the sum of the messages; and
  vectors averaged with the same attention;
* contacts: messages from the k nearest pocket atoms, with the angles that vectors of both
  sides make with the contact (hydrogen bonds and rings have directions);
* the whole pocket, in every second layer: invariant point attention (Jumper et al.,
  AlphaFold 2, 2021, algorithm 22) of points that an atom queries, as plain attention through
  :math:`-\gamma |y-z|^2 = 2 \gamma y \cdot z - \gamma |y|^2 - \gamma |z|^2`.

Every vector is a sum of differences weighted by invariants, as in EGNN (Satorras et al.,
2021, eq. 4) and PaiNN (Schütt et al., 2021), so vectors rotate with the complex and nothing
depends on where it is.  Time enters by adaptive layer norm (Peebles & Xie, 2023).
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.network import Network, Symmetry
from moldiff.nn.complex_geometry import Geometry, geometry_of
from moldiff.nn.embed import time_features
from moldiff.nn.inputs import LigandInput, LigandState, PocketInput, PocketState
from moldiff.nn.pocket import PocketEncoder
from moldiff.nn.point_attention import point_attention
from moldiff.precision import exact

__all__ = ["ContactNetwork"]


class _Layer(nn.Module):
    kinds: nn.Embedding

    def __init__(
        self,
        width: int,
        channels: int,
        pocket_channels: int,
        heads: int,
        pair: int,
        basis: int,
        *,
        pair_classes: int,
        wide: bool,
    ) -> None:
        super().__init__()
        self.heads, self.size, self.wide = heads, width // heads, wide
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.split = (3 * width, 2 * pair, width, wide * width, wide * heads * 2)
        self.read = nn.Linear(width, sum(self.split))
        self.kinds = nn.Embedding(pair_classes, pair)
        self.pair_radial = nn.Linear(basis, pair, bias=False)
        self.pair_angle = nn.Linear(channels, pair, bias=False)
        self.pair_split = (heads, channels)
        self.pair_out = nn.Linear(pair, sum(self.pair_split))
        self.there = nn.Linear(width, width, bias=False)
        self.radial = nn.Linear(basis + pocket_channels, width, bias=False)
        self.angle = nn.Linear(channels, width, bias=False)
        self.pull = nn.Linear(width, channels, bias=False)
        if wide:
            self.keys = nn.Linear(width, 2 * width, bias=False)
            self.shift = nn.Linear(pocket_channels, heads, bias=False)
            self.ask = nn.Linear(channels, heads, bias=False)
            # The heads start with different reaches: 1.5, 3, 6, 12 Å for four heads.
            self.reach = nn.Parameter(1.5 * 2.0 ** torch.linspace(0, 3, heads))
        self.out = nn.Linear((2 + wide) * width + pair, width)
        sources = 3 * channels + wide * 2 * heads + 1
        self.blend = nn.Parameter(torch.randn(channels, sources) * sources**-0.5)
        self.expand = nn.Linear(width + channels, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        for module in (self.out, self.contract):
            nn.init.zeros_(module.bias)
            with torch.no_grad():
                module.weight.mul_(0.3)

    def forward(
        self, h: Tensor, v: Tensor, film: Tensor, g: Geometry, kinds: Tensor, pocket: PocketState
    ) -> tuple[Tensor, Tensor]:
        scale_a, shift_a, scale_f, shift_f = film.unsqueeze(1).chunk(4, -1)
        hn = self.norm(h) * (1 + scale_a) + shift_a
        qkv, ends, receivers, queries, offset = self.read(hn).split(self.split, -1)
        attended, message_sum, directions, mixed = self._ligand(qkv, ends, v, g, kinds)
        local, contact_vectors = self._contacts(receivers, v, g, pocket)
        invariant, vector = [attended, message_sum, local], [directions, mixed, contact_vectors]
        if self.wide:
            pocket_values, pocket_vectors = self._pocket(queries, offset.to(v.dtype), v, g, pocket)
            invariant.append(pocket_values)
            vector.append(pocket_vectors)
        with exact(h):
            v = v + self.blend @ torch.cat([*vector, -g.own.unsqueeze(2) / 5], 2)
            length = (v.square().sum(-1) + 1e-4).sqrt()
        h = h + self.out(torch.cat(invariant, -1))
        hn = self.norm(h) * (1 + scale_f) + shift_f
        return h + self.contract(F.silu(self.expand(torch.cat([hn, length], -1)))), v

    def _ligand(
        self, qkv: Tensor, ends: Tensor, v: Tensor, g: Geometry, kinds: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Attention and messages among the atoms of each pose."""
        p, n, channels, _ = v.shape
        # Pairs are laid out (from, to): the sender's vectors meet its own directions.
        with exact(v):
            angle = g.unit @ v.mT
        edge = self.pair_radial(g.basis) + self.pair_angle(angle) + kinds
        senders, receivers = ends.chunk(2, -1)
        m = F.silu(edge + senders.unsqueeze(2) + receivers.unsqueeze(1))
        bias, gate = self.pair_out(m).split(self.pair_split, -1)
        with exact(v):
            directions = (gate.to(v.dtype).permute(0, 2, 3, 1) @ g.unit) * n**-0.5
        q, k, value = qkv.view(p, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        logits = q @ k.mT * self.size**-0.5 + bias.permute(0, 3, 2, 1)
        weights = torch.softmax(logits.to(v.dtype), -1)
        attended = (weights.to(value.dtype) @ value).transpose(1, 2).reshape(p, n, -1)
        with exact(v):
            parts = v.view(p, n, self.heads, -1).transpose(1, 2)
            mixed = (weights @ parts).transpose(1, 2).reshape(p, n, channels, 3)
        return attended, m.sum(1) * n**-0.5, directions, mixed

    def _contacts(
        self, receivers: Tensor, v: Tensor, g: Geometry, pocket: PocketState
    ) -> tuple[Tensor, Tensor]:
        """Messages from the nearest pocket atoms."""
        p, n, channels, _ = v.shape
        scale = g.index.shape[1] ** -0.5
        with exact(v):
            angle = g.contact @ v.flatten(0, 1).mT
        senders = F.embedding(g.index, self.there(pocket.scalars))
        edge = self.radial(g.contact_basis) + self.angle(angle) + senders
        e = F.silu(edge + receivers.flatten(0, 1).unsqueeze(1)) * g.fade.unsqueeze(-1).to(
            receivers.dtype
        )
        pull = self.pull(e)
        with exact(v):
            vectors = pull.to(v.dtype).mT @ g.contact
        return e.sum(1).view(p, n, -1) * scale, vectors.view(p, n, channels, 3) * scale

    def _pocket(
        self, queries: Tensor, offset: Tensor, v: Tensor, g: Geometry, pocket: PocketState
    ) -> tuple[Tensor, Tensor]:
        """Invariant point attention on all pocket atoms, all poses in one product."""
        p, n, _ = queries.shape
        key, value = self.keys(pocket.scalars).view(-1, 2, self.heads, self.size).unbind(1)
        with exact(v):
            query_points = g.x.unsqueeze(2) + self.ask.weight @ v
            key_points = pocket.positions.unsqueeze(1) + self.shift.weight @ pocket.vectors
            query = queries.to(v.dtype).reshape(p * n, self.heads, self.size)
            values, point = point_attention(
                (query, query_points.view(p * n, self.heads, 3)),
                (key.to(v.dtype), key_points),
                value.to(v.dtype),
                0.5 / self.reach.square(),
            )
            point, gates = point.view(p, n, self.heads, 3), offset.view(p, n, self.heads, 2)
            near = point / (1 + point.square().sum(-1, keepdim=True)).sqrt()
            vectors = torch.cat([point * gates[..., :1] / 4, near * gates[..., 1:]], 2)
        return values.reshape(p, n, -1).to(queries.dtype), vectors


class ContactNetwork(Network):
    """Equivariant features of the atoms of poses in a pocket; subclasses read them.

    It is a base class, so that the names of weights in model files stay what they are.

    Parameters
    ----------
    width, channels:
        Invariant features and vectors per ligand atom.
    layers, heads, pair_width:
        Depth, attention heads and features per pair of ligand atoms.
    neighbours:
        Pocket atoms from which each ligand atom receives messages.
    pocket_channels, pocket_layers, pocket_neighbours:
        Vectors per pocket atom, and depth and neighbours of the pocket encoder.
    basis:
        Functions of each distance.
    atom_classes, pair_classes, token_classes:
        Classes of the columns of `LigandInput.atoms`, of `LigandInput.pairs` and of
        `PocketInput.tokens`.
    """

    wide: ClassVar[bool] = True
    """Whether layers read the whole pocket; else its atoms count by their contacts, within 8 Å."""

    def __init__(
        self,
        width: int = 64,
        channels: int = 16,
        layers: int = 4,
        heads: int = 4,
        pair_width: int = 32,
        neighbours: int = 16,
        pocket_channels: int = 8,
        pocket_layers: int = 2,
        pocket_neighbours: int = 12,
        basis: int = 16,
        *,
        atom_classes: tuple[int, ...],
        pair_classes: int,
        token_classes: int,
    ) -> None:
        super().__init__()
        self.width, self.channels, self.heads, self.pair_width = width, channels, heads, pair_width
        self.pocket_channels, self.pocket_layers = pocket_channels, pocket_layers
        self.pocket_neighbours, self.neighbours, self.basis = pocket_neighbours, neighbours, basis
        self.atom_classes, self.pair_classes = atom_classes, pair_classes
        self.token_classes = token_classes
        self.encoder = PocketEncoder(
            width, pocket_channels, layers=pocket_layers, k=pocket_neighbours, tokens=token_classes
        )
        self.atoms = nn.ModuleList(nn.Embedding(k, width) for k in atom_classes)
        self.context = nn.Sequential(nn.Linear(33, 2 * width), nn.SiLU())
        self.film = nn.Linear(2 * width, layers * 4 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        self.stack = nn.ModuleList(
            _Layer(
                width,
                channels,
                pocket_channels,
                heads,
                pair_width,
                basis,
                pair_classes=pair_classes,
                wide=self.wide and k % 2 == 0,
            )
            for k in range(layers)
        )
        self.start = nn.Parameter(torch.randn(channels))
        self.norm = nn.LayerNorm(width)
        self.add_outputs()

    @abstractmethod
    def add_outputs(self) -> None:
        """Add the layers that read the normalised features."""

    @property
    def layers(self) -> int:
        """Depth."""
        return len(self.stack)

    @property
    def symmetry(self) -> Symmetry:
        return Symmetry.E3

    def matrices(self) -> Iterator[nn.Parameter]:
        return itertools.chain(self.stack.parameters(), self.encoder.layers.parameters())

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the context with the inputs ``pocket`` and ``ligand`` encoded as features."""
        pocket, ligand = context["pocket"], context["ligand"]
        if isinstance(pocket, PocketInput):
            pocket = self.encoder(pocket)
        if isinstance(ligand, LigandInput):
            columns = [table(ligand.atoms[:, i]) for i, table in enumerate(self.atoms)]
            layers = cast(Iterable[_Layer], self.stack)
            kinds = tuple(layer.kinds(ligand.pairs) for layer in layers)
            ligand = LigandState(torch.stack(columns).sum(0), kinds)
        return {**context, "pocket": pocket, "ligand": ligand}

    def features(
        self,
        x: Float[Tensor, "p n 3"],
        own: Float[Tensor, "p n 3"],
        t: Float[Tensor, " p"],
        context: Mapping[str, Any],
    ) -> tuple[Float[Tensor, "p n d"], Float[Tensor, "p n c 3"]]:
        """Return the features of atoms x at times t, and their vectors.

        ``own`` are the same atoms about the middle that the network may know of, in Å.
        """
        p, n, _ = x.shape
        ligand, pocket = context["ligand"], context["pocket"]
        geometry = geometry_of(x, own, pocket, neighbours=self.neighbours, basis=self.basis)
        size = torch.full_like(t, n / 30)
        films = self.film(self.context(torch.cat([time_features(t, 16), size[:, None]], -1)))
        h = ligand.scalars.expand(p, -1, -1)
        with exact(x):
            v = self.start.unsqueeze(1) * (-own / 5).unsqueeze(2)
        rows = zip(self.stack, films.chunk(self.layers, -1), ligand.kinds, strict=True)
        for layer, film, kinds in rows:
            h, v = layer(h, v, film, geometry, kinds, pocket)
        return h, v
