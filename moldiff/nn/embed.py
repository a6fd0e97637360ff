"""The input of a network: atoms, pairs, coordinates and time as plain feature tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.batch import FIELDS, Batch, pair_selector
from moldiff.diffusion.time import SiteTimes, Time, field_times, graph_times
from moldiff.nn.conditions import ConditionEmbedding, ConditionTokens
from moldiff.precision import exact

__all__ = [
    "Embedding",
    "Features",
    "distance_basis",
    "pair_differences",
    "pair_forces",
    "squared_norm",
    "time_features",
]


@dataclass(frozen=True, eq=False)
class Features:
    """The state that a network refines.

    Attributes
    ----------
    atoms:
        (b, n, width), invariant.
    pairs:
        (b, e, pair_width), invariant, one per unordered pair.
    points:
        (b, n, channels, 3), vectors that rotate with the molecule, zero mean over n.
    context:
        (b, context_width), features of the whole graph: time, size and conditions.
    tokens, present:
        What the graph is asked to be, as m tokens (b, m, context_width), and which of them it has,
        (b, m); None without conditions, or where they are part of the context.
    """

    atoms: Float[Tensor, "b n width"]
    pairs: Float[Tensor, "b e pair_width"]
    points: Float[Tensor, "b n channels 3"]
    context: Float[Tensor, "b context_width"]
    tokens: Float[Tensor, "b m context_width"] | None = None
    present: Bool[Tensor, "b m"] | None = None


def time_features(t: Float[Tensor, "b *sites"], count: int) -> Float[Tensor, "b *sites d"]:
    """Return sines and cosines of t, (b, ...) -> (b, ..., 2 * count), periods from 4 to 1/16."""
    frequencies = torch.logspace(math.log2(0.25), math.log2(16.0), count, 2.0, device=t.device)
    angles = 2 * math.pi * t.unsqueeze(-1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def pair_differences(points: Float[Tensor, "b n *c 3"]) -> Float[Tensor, "b e *c 3"]:
    """Return x_i - x_j of every pair, (b, n, ..., 3) -> (b, e, ..., 3), in full precision."""
    incidence = pair_selector(points.shape[1], points.device, -1)
    with exact(points):
        return (incidence @ points.flatten(2)).unflatten(2, points.shape[2:])


def pair_forces(forces: Float[Tensor, "b e *c 3"], n: int) -> Float[Tensor, "b n *c 3"]:
    """Sum pair vectors on both atoms with opposite signs, (b, e, ..., 3) -> (b, n, ..., 3)."""
    incidence = pair_selector(n, forces.device, -1)
    with exact(forces):
        return (incidence.T @ forces.flatten(2)).unflatten(2, forces.shape[2:])


class _SquaredNorm(torch.autograd.Function):
    """The sum of three slices, which is vectorised, unlike a sum over the last dimension."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        square = x.square()
        return square[..., 0] + square[..., 1] + square[..., 2]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x * (2 * gradients[0]).unsqueeze(-1)


def squared_norm(x: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s"]:
    """Return |x|^2 of vectors, (..., 3) -> (...)."""
    square: Tensor = _SquaredNorm.apply(x)  # type: ignore[no-untyped-call]
    return square


def distance_basis(
    differences: Float[Tensor, "b e 3"], centres: Float[Tensor, " k"]
) -> Float[Tensor, "b e k"]:
    """Expand pair distances in Gaussians, (b, e, 3) -> (b, e, len(centres))."""
    distance = (differences.square().sum(-1, keepdim=True) + 1e-8).sqrt()
    width = centres[1] - centres[0]
    exponent = -0.5 * ((distance - centres) / width).square()
    # Far centres would underflow, which is forty times as slow; e^-80 is nothing beside 1.
    return torch.exp(exponent.clamp_min(-80.0))


class Embedding(nn.Module):
    """Turns a noisy batch, its time and the previous prediction into :class:`Features`.

    Parameters
    ----------
    classes:
        Number of classes of each categorical field.
    vectors:
        Values per atom of each field of invariant vectors.
    width, pair_width, channels, context_width:
        Sizes of the features.
    basis:
        Number of Gaussians that describe a distance at the input.
    reach:
        Largest distance the basis resolves, in units of the coordinates' scale.
    conditions:
        Number k of conditions that a batch may have.
    tokens:
        Whether the conditions become tokens for cross-attention, instead of part of the context.
    parts:
        Whether parts of a graph may be clean: atoms and pairs then have a feature for each of their
        fields, 1 where its value is clean, and 0 where it is noised.
    """

    def __init__(
        self,
        *,
        classes: Mapping[str, int],
        width: int,
        pair_width: int,
        channels: int,
        context_width: int,
        basis: int = 24,
        reach: float = 4.0,
        vectors: Mapping[str, int] = MappingProxyType({}),
        conditions: int = 0,
        tokens: bool = False,
        parts: bool = False,
    ) -> None:
        super().__init__()
        self.parts = parts
        self.atom_fields = [f for f in classes if FIELDS[f].scope == "atom"]
        self.pair_fields = [f for f in classes if FIELDS[f].scope == "pair"]
        self.classes, self.vectors = dict(classes), dict(vectors)
        values = sum(classes[f] for f in self.atom_fields) + sum(vectors.values())
        atom_inputs = 2 * values + context_width
        pair_inputs = 2 * sum(classes[f] for f in self.pair_fields) + 2 * basis + 1
        if parts:
            atom_inputs += 1 + len(self.atom_fields)
            pair_inputs += len(self.pair_fields)
        self.atoms = nn.Linear(atom_inputs, width)
        self.pairs = nn.Sequential(
            nn.Linear(pair_inputs, pair_width), nn.SiLU(), nn.Linear(pair_width, pair_width)
        )
        self.points = nn.Parameter(torch.randn(2, channels) * 0.5)
        self.context = nn.Sequential(
            nn.Linear(34, context_width), nn.SiLU(), nn.Linear(context_width, context_width)
        )
        context = conditions and not tokens
        self.conditions = ConditionEmbedding(conditions, context_width) if context else None
        self.tokens = ConditionTokens(conditions, context_width) if conditions and tokens else None
        self.centres: Tensor
        self.register_buffer("centres", torch.linspace(0.0, reach, basis), persistent=False)

    def forward(self, x_t: Batch, t: Time, previous: Batch | None) -> Features:
        """Return the features of x_t (coordinates of unit size) at times t."""
        context = self._context(x_t, graph_times(t))
        atoms = [
            self._atom_context(x_t, t, context),
            *self._classes(self.atom_fields, x_t, previous),
            *self._vectors(x_t, previous),
            *self._clean(["positions", *self.atom_fields], x_t, t),
        ]
        positions = x_t["positions"]
        distances = distance_basis(pair_differences(positions), self.centres)
        # Elementwise products, not matrix products, so that coordinates keep full precision.
        points = positions.unsqueeze(2) * self.points[0].unsqueeze(1)
        if previous is None:
            previous_distances = torch.zeros_like(distances)
        else:
            predicted = previous["positions"]
            previous_distances = distance_basis(pair_differences(predicted), self.centres)
            points = points + predicted.unsqueeze(2) * self.points[1].unsqueeze(1)
        available = torch.full_like(distances[..., :1], previous is not None)
        pairs = [
            distances,
            previous_distances,
            available,
            *self._classes(self.pair_fields, x_t, previous),
            *self._clean(self.pair_fields, x_t, t),
        ]
        features = self.atoms(torch.cat(atoms, -1)), self.pairs(torch.cat(pairs, -1)), points
        if self.tokens is None:
            return Features(*features, context)
        asked = x_t.context.get("conditions")
        return Features(*features, context, *self.tokens(asked, x_t.graphs))

    def _context(self, x_t: Batch, t: Float[Tensor, "b *sites"]) -> Float[Tensor, "b *sites d"]:
        """The context of a whole graph, or of an atom with a time of its own."""
        size = torch.full_like(t, x_t.atoms).unsqueeze(-1)
        context: Tensor = self.context(
            torch.cat([time_features(t, 16), size / 20, size.log() / 3], -1)
        )
        if self.conditions is None:
            return context
        conditions = self.conditions(x_t.context.get("conditions"), x_t.graphs)
        return context + (conditions if t.ndim == 1 else conditions.unsqueeze(1))

    def _atom_context(
        self, x_t: Batch, t: Time, context: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b n d"]:
        """The context of each atom: the graph's, unless the atom's time differs."""
        shared = context.unsqueeze(1).expand(-1, x_t.atoms, -1)
        if not isinstance(t, SiteTimes) or "atom" not in t.sites:
            return shared
        same = t.sites["atom"] == t.graph.unsqueeze(1)
        return torch.where(same.unsqueeze(-1), shared, self._context(x_t, t.sites["atom"]))

    def _clean(self, fields: list[str], x_t: Batch, t: Time) -> list[Tensor]:
        """1 where the value of a field is clean, 0 where it is noised, (b, sites, 1) each."""
        if not self.parts:
            return []
        flags = []
        for field in fields:
            clean = (field_times(t, field) <= 0).to(torch.float32)
            clean = clean if clean.ndim > 1 else clean.unsqueeze(1)
            flags.append(clean.expand(x_t[field].shape[:2]).unsqueeze(-1))
        return flags

    def _classes(self, fields: list[str], x_t: Batch, previous: Batch | None) -> list[Tensor]:
        """One-hot states, each followed by the previously predicted probabilities (or zeros)."""
        features: list[Tensor] = []
        for field in fields:
            state = F.one_hot(x_t[field], self.classes[field]).to(torch.float32)
            guess = torch.zeros_like(state) if previous is None else previous[field].softmax(-1)
            features += [state, guess]
        return features

    def _vectors(self, x_t: Batch, previous: Batch | None) -> list[Tensor]:
        """Vectors, each followed by its previous prediction (or zeros)."""
        features: list[Tensor] = []
        for field in self.vectors:
            guess = torch.zeros_like(x_t[field]) if previous is None else previous[field]
            features += [x_t[field], guess]
        return features
