"""How much of a ligand's volume lies inside other atoms: RDKit's layered shape on a grid.

A grid point counts 3 within the (scaled) radius of an atom, 2 and 1 in the two layers of
0.25 Å around it, and the largest count over the atoms wins; the overlap is the sum of the
smaller of the two molecules' counts over the sum of the ligand's (the Tversky index with
alpha = 1, beta = 0 that PoseBusters takes from RDKit's ``ShapeTverskyIndex``).  Both use a
spacing of 0.5 Å; the grids' origins differ, which changes a share by a few thousandths.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["overlap"]

_SPACING, _LAYER, _LAYERS = 0.5, 0.25, 3
_CHUNK = 32  # poses per pass: bounds the memory


def overlap(x: Tensor, radii: Tensor, others: Tensor, other_radii: Tensor, scale: float) -> Tensor:
    """Return the share of the ligand's volume inside other atoms, (p,).

    Parameters
    ----------
    x, radii:
        Finite poses (p, n, 3) and the ligand's van der Waals radii (n,), in Å.
    others, other_radii:
        The other atoms (m, 3) and their radii (m,), in Å.
    scale:
        Factor on all radii.
    """
    margin = (
        2 * _SPACING + (_LAYERS - 1) * _LAYER + scale * float(max(radii.max(), other_radii.max()))
    )
    share = x.new_zeros(len(x))
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK]
        low, high = others.amin(0) - 2 * margin, others.amax(0) + 2 * margin
        # A ligand far from the other atoms has no relevant overlap.
        near = ((chunk >= low) & (chunk <= high)).all(2).any(1)
        chunk = chunk[near].clamp(low, high)
        if len(chunk):
            shares = _shares(chunk, scale * radii, others, scale * other_radii, margin)
            share[start : start + _CHUNK][near] = shares
    return share


def _shares(x: Tensor, radii: Tensor, others: Tensor, other_radii: Tensor, margin: float) -> Tensor:
    """As :func:`overlap`, for poses near the other atoms; radii are scaled."""
    corner = x.amin((0, 1)) - margin
    size = ((x.amax((0, 1)) + margin - corner) / _SPACING).ceil().long() + 1
    close = ((others > corner - margin) & (others < x.amax((0, 1)) + 2 * margin)).all(1)
    if not close.any():
        return x.new_zeros(len(x))
    # Atoms of the receptor may extend beyond the grid: use a wider one, then crop it.
    wide = int(2 * margin / _SPACING) + 2
    receptor = _stamp(
        ((others[close] - corner) / _SPACING + wide)[None], other_radii[close], size + 2 * wide
    )[0]
    first = ((x.amin(1) - margin - corner) / _SPACING).floor().long().clamp(min=0)
    window = ((x.amax(1) + margin - corner) / _SPACING).ceil().long() - first
    window = torch.minimum(window.amax(0) + 1, size)
    first = torch.minimum(first, size - window)
    grid = (x - corner) / _SPACING - first[:, None]
    ligand = _stamp(grid, radii, window)
    i, j, k = window.tolist()
    both = torch.stack(
        [
            torch.minimum(ligand[pose], receptor[a : a + i, b : b + j, c : c + k]).sum()
            for pose, (a, b, c) in enumerate((first + wide).tolist())
        ]
    )
    return both / ligand.flatten(1).sum(1).clamp(min=1)


def _stamp(grid: Tensor, radii: Tensor, size: Tensor) -> Tensor:
    """Return the counts (p, i, j, k) of atoms (p, n, 3) in units of the grid's spacing."""
    reach = int((float(radii.max()) + (_LAYERS - 1) * _LAYER) / _SPACING) + 1
    nearest = grid.round()
    # Squares and addresses are sums over the three axes: only these are computed per point.
    points = nearest[..., None] + torch.arange(-reach, reach + 1)
    squares = _outer_sum((points - grid[..., None]).square())
    cells, (_, rows, columns) = int(size.prod()), size.tolist()
    strides = torch.tensor([rows * columns, columns, 1])
    flat = _outer_sum(points.long() * strides[:, None])
    flat += torch.arange(len(grid))[:, None, None, None, None] * cells
    values = torch.zeros(flat.shape, dtype=torch.uint8)
    for layer in range(_LAYERS):
        limit = ((radii + layer * _LAYER) / _SPACING).square()
        values += squares < limit[:, None, None, None]
    # Scattering the zeros too is cheaper than selecting the points inside.
    counts = torch.zeros(len(grid) * cells, dtype=torch.uint8)
    counts.scatter_reduce_(0, flat.flatten(), values.flatten(), "amax")
    return counts.view(len(grid), *size.tolist())


def _outer_sum(parts: Tensor) -> Tensor:
    """Return a_i + b_j + c_k of parts (p, n, 3, w) as (p, n, w, w, w)."""
    a, b, c = parts.unbind(2)
    return (a[..., :, None] + b[..., None, :])[..., None] + c[..., None, None, :]
