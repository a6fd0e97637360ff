"""A pocket as a few hundred sites that a ligand atom can be near.

An amino acid forms up to four sites: its backbone nitrogen; its carbonyl group; its alpha carbon
with the side chain's carbons; and the side chain's N, O and S atoms.  The distance to the
nearest atom of a site thus tells whether there is a hydrogen bond, and with which end.  Any other
atom (cofactors, metals, nucleic acids, unusual residues) is a separate site.

The geometry consists of rotation invariants: how buried a site is, and for its nearest neighbours
the distance and the angles with the directions in which the two are open.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from moldiff.nn.pocket import neighbours, radial

__all__ = [
    "EDGE_FEATURES",
    "OWN",
    "SITE_FEATURES",
    "Sites",
    "bag",
    "join",
    "nearest",
    "pocket_sites",
]

_SHELLS = ((4.5, 15.0), (7.0, 50.0), (10.0, 130.0))  # reach in Å, typical number of atoms
_BASIS, _REACH = 16, 12.0
SITE_FEATURES = len(_SHELLS) + 2
"""Columns of ``Sites.features``: burial in three shells, openness, number of atoms."""
EDGE_FEATURES = _BASIS + 4
"""Columns of ``Sites.edges``: distance, three cosines, same residue or not."""


OWN = 4
"""The part number of an atom that is a separate site; parts 0 to 3 are those of an amino acid."""


@dataclass(frozen=True, eq=False)
class Sites:
    """The s sites of a pocket of m atoms.

    Attributes
    ----------
    positions, tokens, member:
        Per atom, ordered by site: Å (m, 3), `moldiff.protein.tokens` (m,), the site (m,).
    size:
        (s,) number of atoms.
    features:
        (s, SITE_FEATURES) features of each site.
    neighbours, edges:
        (s, k) the nearest sites and (s, k, EDGE_FEATURES) their relative placement.
    """

    positions: Tensor
    tokens: Tensor
    member: Tensor
    size: Tensor
    features: Tensor
    neighbours: Tensor
    edges: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def to(self, device: torch.device | str) -> Sites:
        """Return the sites on a device."""
        return Sites(*(getattr(self, f.name).to(device) for f in dataclasses.fields(self)))


def pocket_sites(
    positions: Tensor, tokens: Tensor, residue: Tensor, part: Tensor, *, k: int = 16
) -> Sites:
    """Divide m >= 2 pocket atoms into sites.

    Parameters
    ----------
    positions:
        (m, 3) float32, Å.
    tokens, residue:
        (m,) int64: the kind of atom, as in `moldiff.protein.tokens`, and the number of its residue.
    part:
        (m,) int64: the site of its residue to which an atom belongs, or `OWN`.
    k:
        Largest number of neighbours of a site.
    """
    m = len(positions)
    single = residue.max() * OWN + OWN + torch.arange(m, device=tokens.device)
    key = torch.where(part < OWN, residue * OWN + part, single)
    _, member = key.unique(return_inverse=True)
    order = member.argsort(stable=True)
    positions, tokens, residue, member = (v[order] for v in (positions, tokens, residue, member))
    size = torch.bincount(member)
    s = len(size)
    centre = 1 / size[:, None] * positions.new_zeros(s, 3).index_add_(0, member, positions)
    owner = torch.zeros(s, dtype=torch.int64, device=tokens.device).index_copy_(0, member, residue)
    distance = torch.cdist(centre, positions)
    counts = [(distance < reach).sum(1) / typical for reach, typical in _SHELLS]
    close = (distance < _SHELLS[1][0]).float()
    # The vector from the surrounding mass to the site is long where the site is open.
    away = centre - close @ positions / close.sum(1, keepdim=True)
    openness = away.norm(dim=1)
    direction = away / (openness[:, None] + 0.1)
    features = torch.stack([*counts, openness / 2, size / 4], 1)
    index, edges = _edges(centre, direction, owner, min(k, s - 1))
    return Sites(positions, tokens, member, size, features, index, edges)


def _edges(centre: Tensor, direction: Tensor, owner: Tensor, k: int) -> tuple[Tensor, Tensor]:
    index, unit, distance = neighbours(centre, centre, k, skip=1)
    cosines = [
        (direction[:, None] * unit).sum(-1),
        (direction[index] * unit).sum(-1),
        (direction[:, None] * direction[index]).sum(-1),
        (owner[:, None] == owner[index]).float(),
    ]
    return index, torch.cat([radial(distance, _REACH, _BASIS), torch.stack(cosines, -1)], -1)


def nearest(x: Tensor, sites: Sites, reach: float) -> Tensor:
    """Return the distance of ligand atoms from each site's nearest atom, capped at ``reach``.

    Poses (..., n, 3) in Å give (..., n, s); differentiable in ``x``.
    """
    flat = x.reshape(-1, 3)
    origin = sites.positions.mean(0)  # large coordinates would cost precision
    distances = torch.cdist(sites.positions - origin, flat - origin).clamp(max=reach)
    closest = torch.segment_reduce(distances, "min", lengths=sites.size, axis=0)
    return closest.T.reshape(*x.shape[:-1], len(sites))


def bag(values: Tensor, sites: Sites) -> Tensor:
    """Return the sum of atom features (m, d) over each site, (s, d)."""
    return values.new_zeros(len(sites), values.shape[1]).index_add(0, sites.member, values)


def join(pockets: list[Sites]) -> Sites:
    """Return several pockets as one, without edges between them; k is the smallest of theirs."""
    k = min(p.neighbours.shape[1] for p in pockets)
    starts = [0, *torch.tensor([len(p) for p in pockets]).cumsum(0).tolist()]
    return Sites(
        torch.cat([p.positions for p in pockets]),
        torch.cat([p.tokens for p in pockets]),
        torch.cat([p.member + start for p, start in zip(pockets, starts, strict=False)]),
        torch.cat([p.size for p in pockets]),
        torch.cat([p.features for p in pockets]),
        torch.cat([p.neighbours[:, :k] + start for p, start in zip(pockets, starts, strict=False)]),
        torch.cat([p.edges[:, :k] for p in pockets]),
    )
