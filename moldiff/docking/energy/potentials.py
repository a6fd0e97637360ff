r"""Vina potentials of ligand atom types on a grid, computed fast on one core.

The potential of a type at a grid point is a sum over receptor atoms of a function of the
squared distance and of the two types only, so it is tabulated in steps of 1/32 Å^2.  Points
are taken in cubes of four by four by four; the squared distances of a cube's points to the
receptor atoms in its reach are one matrix product, which gives rows of the table, and
``embedding_bag`` fetches and adds the rows of all types at once, without intermediates per pair
and type.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moldiff.docking.energy.atom_types import AtomTypes
from moldiff.docking.energy.exact import Target, column
from moldiff.docking.energy.terms import CUTOFF, Pairs, Weights, pair_energy

__all__ = ["potentials"]

_BINS_PER_A2 = 32  # of the table by squared distance
_BINS = int(CUTOFF**2) * _BINS_PER_A2
_CUBE = 4  # points along the edge of a cube that shares a list of receptor atoms
_AT_ONCE = 1 << 18  # point-atom pairs per pass, so that they stay in the cache
_NOWHERE = 1e4  # Å; position of the atom that pads lists


def potentials(
    target: Target,
    kinds: AtomTypes,
    low: Float[Tensor, "3"],
    cells: tuple[int, int, int],
    spacing: float,
    weights: Weights,
) -> Float[Tensor, "t x y z"]:
    """Return each type's potential in kcal/mol at the corners of all cells, x = cells + 1.

    Parameters
    ----------
    target:
        The receptor's atoms within reach.
    kinds:
        t ligand atom types.
    low, cells, spacing:
        First point in Å, number of cells along each axis, their edge in Å.
    """
    if not len(target.positions):
        return low.new_zeros(len(kinds), *(count + 1 for count in cells))
    table, first_row = _table(target.types, kinds, weights)
    filler = target.positions.new_full((1, 3), _NOWHERE)
    positions, first_row = (
        torch.cat((target.positions, filler)),
        torch.cat((first_row, first_row[:1])),
    )
    cubes = [count // _CUBE + 1 for count in cells]
    corners = torch.cartesian_prod(*(torch.arange(c, device=low.device) for c in cubes))
    edge = torch.arange(_CUBE, device=low.device).to(low) - (_CUBE - 1) / 2
    offsets = torch.cartesian_prod(edge, edge, edge) * spacing
    centres = low + (corners * _CUBE + (_CUBE - 1) / 2) * spacing
    within = torch.cdist(centres, target.positions) < CUTOFF + float(offsets[0].norm())
    sums = low.new_zeros(len(centres), len(offsets), len(kinds))
    for chunk, atoms in _chunks(within, len(offsets)):
        place = (positions[atoms] - centres[chunk, None]).flatten(0, 1)
        rows = _bins(offsets, place).add_(first_row[atoms].flatten()).to(torch.int32)
        bags = rows.view(-1, atoms.shape[1])
        totals = torch.nn.functional.embedding_bag(bags, table, mode="sum")
        sums[chunk] = totals.view(len(offsets), len(chunk), -1).transpose(0, 1)
    grid = sums.view(*cubes, *(_CUBE,) * 3, -1).permute(6, 0, 3, 1, 4, 2, 5)
    grid = grid.reshape(-1, *(count * _CUBE for count in cubes))
    return grid[:, : cells[0] + 1, : cells[1] + 1, : cells[2] + 1]


def _table(
    receptor: AtomTypes, kinds: AtomTypes, weights: Weights
) -> tuple[Float[Tensor, "rows t"], Float[Tensor, " m"]]:
    """Return potentials by receptor type and distance bin, and each receptor atom's first row.

    The last bin of each receptor type is beyond the cutoff and holds zeros.
    """
    others, index = receptor.distinct()
    middle = (torch.arange(_BINS + 1, device=index.device) + 0.5) / _BINS_PER_A2
    pairs = Pairs.of(column(column(others)), kinds, weights)
    values, _ = pair_energy(middle[:, None].to(kinds.radius), pairs, weights)
    return values.flatten(0, 1), (index * (_BINS + 1)).to(values)


def _bins(offsets: Float[Tensor, "o 3"], place: Float[Tensor, "a 3"]) -> Float[Tensor, "o a"]:
    """Return distance bins of all pairs; |o - a|^2 = |o|^2 - 2 o.a + |a|^2 as one product."""
    ones = torch.ones_like(place[:, :1])
    left = torch.cat((offsets, offsets.square().sum(1, True), torch.ones_like(offsets[:, :1])), 1)
    right = torch.cat((place * -2, ones, place.square().sum(1, True)), 1)
    return (left @ right.mul_(_BINS_PER_A2).T).clamp_(0, _BINS)


def _chunks(
    within: Bool[Tensor, "c m"], points: int
) -> Iterator[tuple[Int[Tensor, " k"], Int[Tensor, "k a"]]]:
    """Yield cubes with the atoms in their reach, in lists padded with the index m.

    Cubes with lists of similar length share a chunk, so that there is little padding.
    """
    counts = within.sum(1)
    atoms = within.nonzero()[:, 1]
    begin = counts.cumsum(0) - counts
    order = counts.argsort(descending=True)
    lengths = counts[order].tolist()
    start = 0
    while start < len(lengths) and lengths[start]:
        longest = lengths[start]
        chunk = order[start : start + max(1, _AT_ONCE // (points * longest))]
        place = torch.arange(longest, device=within.device)
        listed = place < counts[chunk, None]
        index = atoms[(begin[chunk, None] + place).clamp_max_(len(atoms) - 1)]
        yield chunk, torch.where(listed, index, within.shape[1])
        start += len(chunk)
