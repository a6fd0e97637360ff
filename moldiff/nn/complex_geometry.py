"""The geometry of poses that all layers of a pose network share: pairs and contacts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.nn.inputs import PocketState
from moldiff.nn.pocket import neighbours as nearest
from moldiff.nn.pocket import radial
from moldiff.precision import exact

__all__ = ["Geometry", "geometry_of"]

_REACH = 8.0  # Å, distance at which contacts have faded to zero
_RIM = 0.25  # Å, over which they fade before the first atom that is not among the neighbours
_FARTHEST = 12.0  # Å, largest distance of ligand atoms that the basis resolves


@dataclass(frozen=True, eq=False)
class Geometry:
    """p poses of n atoms, their pairs, and their contacts with the k nearest pocket atoms.

    Attributes
    ----------
    x, own:
        (p, n, 3) atoms in Å, and the same about the middle that the network may know of.
    unit, basis:
        Of pairs, laid out (from, to): (p, n, n, 3) directions, (p, n, n, d) distances in Gaussians.
    index, contact, contact_basis:
        Of contacts: (p * n, k) the pocket atom, (p * n, k, 3) the direction, and (p * n, k, d)
        distance and angles with the pocket atom's vectors.
    fade:
        (p * n, k) falls from 1 to 0 at the reach, or before the next atom that is no neighbour, so
        that neither entering nor changing neighbours cause a jump.
    """

    x: Tensor
    own: Tensor
    unit: Tensor
    basis: Tensor
    index: Tensor
    contact: Tensor
    contact_basis: Tensor
    fade: Tensor


def geometry_of(
    x: Float[Tensor, "p n 3"],
    own: Float[Tensor, "p n 3"],
    pocket: PocketState,
    *,
    neighbours: int,
    basis: int,
) -> Geometry:
    """Return the geometry of poses, atoms at x in Å, in an encoded pocket; ``own``: `Geometry`."""
    with exact(x):
        differences = x.unsqueeze(1) - x.unsqueeze(2)
        distance = (differences.square().sum(-1) + 1e-4).sqrt()
        index, unit, reach = nearest(x.flatten(0, 1), pocket.positions, neighbours + 1)
        fade = 0.5 * torch.cos(torch.pi * (reach / _REACH).clamp_max(1)) + 0.5
        if index.shape[1] > neighbours:  # the last says where the list ends
            inside = ((reach[:, -1:] - reach) / _RIM).clamp_max(1)
            fade = fade * inside.square() * (3 - 2 * inside)
            index, unit, reach, fade = (v[:, :-1] for v in (index, unit, reach, fade))
        vectors = F.embedding(index, pocket.vectors.flatten(1)).unflatten(-1, (-1, 3))
        angles = (vectors @ unit.unsqueeze(-1)).squeeze(-1)
        return Geometry(
            x,
            own,
            differences / (1 + distance).unsqueeze(-1),
            radial(distance, _FARTHEST, basis),
            index,
            unit,
            torch.cat([radial(reach, _REACH, basis), angles], -1),
            fade,
        )
