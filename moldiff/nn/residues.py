"""The inputs of networks of protein chains: what is given of residues, raw and encoded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "BackboneInput",
    "BackboneState",
    "Keys",
    "Pairs",
    "Residues",
    "Surroundings",
    "SurroundingsState",
]

_FEW = 384  # others up to which a table of all pairs is quicker than a list of those that are seen


@dataclass(frozen=True, eq=False)
class Residues:
    """What is given of n residues in each of g groups of graphs.

    Attributes
    ----------
    types:
        (g, n) int64 amino acids, see `moldiff.protein.backbone`.
    places:
        (g, n) int64 places in the chain; those of another chain are far away.
    """

    types: Int[Tensor, "g n"]
    places: Int[Tensor, "g n"]

    def to(self, device: torch.device | str) -> Residues:
        """Return the residues on a device."""
        return Residues(self.types.to(device), self.places.to(device))

    def repeated(self, graphs: int) -> Residues:
        """Return the residues of each of some graphs, whose groups follow one another."""
        return Residues(_repeated(self.types, graphs), _repeated(self.places, graphs))


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The m residues around each of g gaps, which stay where they are.

    Attributes
    ----------
    residues:
        Their amino acids and places.
    positions:
        (g, m, 3) C-alpha in Å.
    frames:
        (g, m, 3, 3) rotations, see `moldiff.protein.backbone`.
    """

    residues: Residues
    positions: Float[Tensor, "g m 3"]
    frames: Float[Tensor, "g m 3 3"]

    def to(self, device: torch.device | str) -> Surroundings:
        """Return the surroundings on a device."""
        return Surroundings(
            self.residues.to(device), self.positions.to(device), self.frames.to(device)
        )

    def repeated(self, graphs: int) -> Surroundings:
        """Return the surroundings of each of some graphs."""
        positions, frames = _repeated(self.positions, graphs), _repeated(self.frames, graphs)
        return Surroundings(self.residues.repeated(graphs), positions, frames)


@dataclass(frozen=True, eq=False)
class Keys:
    """What a layer shows of residues to those that attend to them, (g, m, ...).

    Attributes
    ----------
    scalars:
        Keys, values and terms of pairs, side by side.
    points:
        (g, m, heads, points, 3) in Å: the first is a key, the others are values.
    """

    scalars: Float[Tensor, "g m d"]
    points: Float[Tensor, "g m heads points 3"]

    def repeated(self, graphs: int) -> Keys:
        """Return what is shown to each of some graphs."""
        return Keys(_repeated(self.scalars, graphs), _repeated(self.points, graphs))

    def joined(self, others: Keys) -> Keys:
        """Return what is shown of these residues, and then of others."""
        scalars = torch.cat([self.scalars, others.scalars], 1)
        return Keys(scalars, torch.cat([self.points, others.points], 1))


@dataclass(frozen=True, eq=False)
class SurroundingsState:
    """Encoded surroundings: the input, and what every layer shows of them."""

    surroundings: Surroundings
    layers: tuple[Keys, ...]


@dataclass(frozen=True, eq=False)
class Pairs:
    """What each of n residues sees of k among m others.

    Attributes
    ----------
    features:
        (b, n, k, pair_width).
    near:
        (b, n, k) int64 which of the others these are; None for all of them, in their order.
    """

    features: Float[Tensor, "b n k d"]
    near: Int[Tensor, "b n k"] | None = None

    def repeated(self, graphs: int) -> Pairs:
        """Return the pairs of each of some graphs."""
        near = None if self.near is None else _repeated(self.near, graphs)
        return Pairs(_repeated(self.features, graphs), near)

    def of_others(self, values: Float[Tensor, "b m c"]) -> Float[Tensor, "b _ k c"]:
        """Return the others' values for each residue that sees them."""
        if self.near is None:
            return values.unsqueeze(1)
        b, m, _ = values.shape
        first = m * torch.arange(b, device=values.device).view(-1, 1, 1)
        return F.embedding(self.near + first, values.flatten(0, 1))

    def products(
        self, own: Float[Tensor, "b heads n d"], others: Float[Tensor, "b heads m d"]
    ) -> Float[Tensor, "b heads n k"]:
        """Return the scalar products of residues with the others that each sees."""
        if self.near is None:
            return own @ others.mT
        if others.shape[2] <= _FEW:
            return (own @ others.mT).gather(-1, self._index(own.shape[1]))
        return (self._gathered(others) @ own.unsqueeze(-1)).squeeze(-1)

    def values(self, others: Float[Tensor, "b heads m"]) -> Float[Tensor, "b heads _ k"]:
        """Return numbers of the others for each residue that sees them."""
        if self.near is None:
            return others.unsqueeze(2)
        return self._gathered(others.unsqueeze(-1)).squeeze(-1)

    def sums(
        self, weights: Float[Tensor, "b heads n k"], others: Float[Tensor, "b heads m d"]
    ) -> Float[Tensor, "b heads n d"]:
        """Return the sums of the others' values, by the weights that each residue has for them."""
        if self.near is None:
            return weights @ others
        if others.shape[2] <= _FEW:
            table = weights.new_zeros(*weights.shape[:3], others.shape[2])
            return table.scatter(-1, self._index(weights.shape[1]), weights) @ others
        return (weights.unsqueeze(-2) @ self._gathered(others)).squeeze(-2)

    def _gathered(self, others: Float[Tensor, "b heads m d"]) -> Float[Tensor, "b heads n k d"]:
        b, heads, m, _ = others.shape
        first = m * torch.arange(b * heads, device=others.device).view(b, heads, 1, 1)
        return F.embedding(self._index(heads) + first, others.flatten(0, 2))

    def _index(self, heads: int) -> Tensor:
        assert self.near is not None
        return self.near.unsqueeze(1).expand(-1, heads, -1, -1)


@dataclass(frozen=True, eq=False)
class BackboneInput:
    """The n residues of each of g backbones, whose amino acids are to be found.

    Attributes
    ----------
    positions:
        (g, n, 3) C-alpha in Å.
    frames:
        (g, n, 3, 3) rotations, see `moldiff.protein.backbone`.
    atoms:
        (g, n, 5, 3) atoms in Å: N, C-alpha, C, C-beta and O.
    places:
        (g, n) int64 places in the chain; those of another chain are far away.
    """

    positions: Float[Tensor, "g n 3"]
    frames: Float[Tensor, "g n 3 3"]
    atoms: Float[Tensor, "g n 5 3"]
    places: Int[Tensor, "g n"]

    def to(self, device: torch.device | str) -> BackboneInput:
        """Return the backbones on a device."""
        parts = (self.positions, self.frames, self.atoms, self.places)
        return BackboneInput(*(part.to(device) for part in parts))


@dataclass(frozen=True, eq=False)
class BackboneState:
    """Encoded backbones: the input, and what residues see of one another."""

    backbone: BackboneInput
    pairs: Pairs

    def to(self, device: torch.device | str) -> BackboneState:
        """Return the encoded backbones on a device."""
        near = None if self.pairs.near is None else self.pairs.near.to(device)
        return BackboneState(self.backbone.to(device), Pairs(self.pairs.features.to(device), near))

    def repeated(self, graphs: int) -> tuple[Tensor, Tensor, Pairs]:
        """Return positions, frames and pairs of each of some graphs, group by group."""
        positions, frames = self.backbone.positions, self.backbone.frames
        return _repeated(positions, graphs), _repeated(frames, graphs), self.pairs.repeated(graphs)


def _repeated(value: Tensor, graphs: int) -> Tensor:
    if len(value) == graphs:
        return value
    return value.repeat_interleave(graphs // len(value), 0)
