r"""Energies from grids: built once per box, then one lookup for all atoms of all poses.

Inside a cell the trilinear interpolant is a polynomial with the eight monomials
1, z, y, yz, x, xz, xy, xyz; its coefficients are stored cell by cell, so an atom's value and
gradient need one gather of eight neighbouring numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from moldiff.docking.energy.atom_types import AtomTypes
from moldiff.docking.energy.exact import SLOPE, Energy, Internal, Target, corners
from moldiff.docking.energy.potentials import potentials
from moldiff.docking.energy.terms import Weights, capped

if TYPE_CHECKING:
    from moldiff.protein.pocket import Box

__all__ = ["Grid", "GridEnergy", "build_grid"]

#: Grid spacing in Å and the cap of a grid value in kcal/mol.
SPACING, CAP = 0.375, 100.0


@dataclass(frozen=True, eq=False)
class Grid:
    """Potentials of t ligand atom types in a box.

    Attributes
    ----------
    types:
        The t types.
    low:
        (3,) the first grid point in Å.
    cells:
        Cells along each axis.
    coefficients:
        (t * cells, 8) polynomial coefficients of each cell, in kcal/mol.
    spacing:
        Edge of a cell in Å.
    """

    types: AtomTypes
    low: Float[Tensor, "3"]
    cells: tuple[int, int, int]
    coefficients: Float[Tensor, "tc 8"]
    spacing: float

    def rows_of(self, types: AtomTypes) -> Int[Tensor, " n"]:
        """Return the row of ``coefficients`` at which the grid of each atom begins.

        Raises
        ------
        ValueError
            If the grid lacks one of the types.
        """
        n = len(self.types)
        merged, index = self.types.union(types).distinct()
        place = torch.full((len(merged),), -1, dtype=torch.int64, device=index.device)
        place[index[:n]] = torch.arange(n, device=index.device)
        kinds = place[index[n:]]
        if bool((kinds < 0).any()):
            raise ValueError("the grid has no potential for one of the ligand's atom types")
        return (kinds * math.prod(self.cells)).to(torch.int32)

    def by_coordinate(
        self, y: Float[Tensor, "3 n p"], rows: Int[Tensor, "n 1"]
    ) -> tuple[Float[Tensor, "n p"], Float[Tensor, "3 n p"]]:
        """Return the potentials and gradients of atoms inside the box, given in Å."""
        _, ny, nz = self.cells
        scaled = (y - self.low[:, None, None]).mul_(1 / self.spacing)
        whole = scaled.to(torch.int32)
        for axis, count in enumerate(self.cells):
            whole[axis].clamp_(0, count - 1)
        u, v, w = scaled.sub_(whole)
        row = whole[0].mul_(ny).add_(whole[1]).mul_(nz).add_(whole[2]).add_(rows)
        picked = self.coefficients.index_select(0, row.view(-1)).T.contiguous()
        c0, cz, cy, cyz, cx, cxz, cxy, cxyz = picked.view(8, *row.shape)
        yz = torch.addcmul(cyz, cxyz, u)
        gradient = torch.empty_like(scaled)
        gx, gy, gz = gradient
        torch.addcmul(cx, cxy, v, out=gx).addcmul_(torch.addcmul(cxz, cxyz, v), w)
        torch.addcmul(cy, cxy, u, out=gy)
        torch.addcmul(cz, cxz, u, out=gz).addcmul_(yz, v)
        energy = torch.addcmul(c0, cx, u).addcmul_(gy, v).addcmul_(gz, w)
        gy.addcmul_(yz, w)
        return energy, gradient.mul_(1 / self.spacing)


@dataclass(frozen=True, eq=False)
class GridEnergy(Energy):
    """The energy with the receptor's part interpolated from a `Grid`.

    Parameters
    ----------
    grid:
        A grid with at least the ligand's atom types.
    types:
        Types of the ligand's n heavy atoms.
    internal:
        The ligand's internal energy, computed without the grid.
    """

    grid: Grid
    types: AtomTypes
    internal: Internal
    _rows: Tensor = field(init=False, repr=False)
    _high: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        edge = self.grid.low.new_tensor(self.grid.cells) * self.grid.spacing
        object.__setattr__(self, "_rows", self.grid.rows_of(self.types)[:, None])
        object.__setattr__(self, "_high", (self.grid.low + edge)[:, None, None])

    def value_and_gradient(
        self, x: Float[Tensor, "p n 3"]
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n 3"]]:
        """Return the energies and gradients: one gather for the receptor, two for pairs."""
        y = x.permute(2, 1, 0).contiguous()
        energy, gradient, penalty = self._inter(y)
        value, slope = self.internal.by_coordinate(y)
        return value.add_(energy).add_(penalty), slope.add_(gradient).permute(2, 1, 0)

    def terms(self, x: Float[Tensor, "p n 3"]) -> dict[str, Float[Tensor, " p"]]:
        """Return "inter", "intra" and "outside"."""
        inter, _, penalty = self._inter(x.permute(2, 1, 0).contiguous())
        return {"inter": inter, "intra": self.internal.energy(x), "outside": penalty}

    def _inter(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return energies (p,), gradients (3, n, p) with the penalty's, and the penalty (p,)."""
        inside = y.clamp(self.grid.low[:, None, None], self._high)
        excess = y - inside
        energy, gradient = self.grid.by_coordinate(inside, self._rows)
        # The grid ends at its edge; beyond it only the penalty acts.
        gradient.mul_(excess == 0).add_(excess.sign(), alpha=SLOPE)
        return energy.sum(0), gradient, excess.abs().sum((0, 1)).mul_(SLOPE)


def build_grid(
    target: Target,
    types: AtomTypes,
    box: Box,
    *,
    spacing: float = SPACING,
    cap: float = CAP,
) -> Grid:
    """Build the potentials of some ligand atom types in a box.

    Parameters
    ----------
    target:
        The receptor's atoms; atoms out of reach are ignored.
    types:
        Ligand atom types; duplicates are allowed.
    box:
        The region; rounded up to whole cells about its centre.
    spacing, cap:
        Edge of a cell in Å; asymptotic upper bound of the values in kcal/mol.
    """
    low, high = corners(box, target.positions)
    cells = torch.ceil((high - low) / spacing - 1e-4).clamp_min(1)
    middle, half = (low + high) / 2, cells * (spacing / 2)
    kinds, _ = types.distinct()
    near = target.near(middle - half, middle + half)
    nx, ny, nz = (int(c) for c in cells)
    sizes = (nx, ny, nz)
    values = potentials(near, kinds, middle - half, sizes, spacing, Weights())
    values = capped(values, cap)[0]
    return Grid(kinds, middle - half, sizes, _coefficients(values), spacing)


def _coefficients(values: Float[Tensor, "t x y z"]) -> Float[Tensor, "tc 8"]:
    """Return the coefficients of 1, z, y, yz, x, xz, xy, xyz in each cell from corner values."""
    along_z = torch.stack((values[..., :-1], values.diff(dim=-1)), dim=-1)
    along_y = torch.stack((along_z[:, :, :-1], along_z.diff(dim=2)), dim=-2)
    cells = torch.stack((along_y[:, :-1], along_y.diff(dim=1)), dim=-3)
    return cells.flatten(-3).view(-1, 8)
