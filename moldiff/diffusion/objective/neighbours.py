"""The error of the vectors between near atoms: geometry that the mean over coordinates hides.

The squared error of coordinates counts every mode of a molecule alike, and is mostly that of slow
ones: a whole ring that is turned a little.  Energy depends on the fast ones, on bonds, angles and
the planarity of groups, which are a small part of it.  Here the error of x_j - x_i, of atoms near
each other in the data, is counted as well.  It is linear in the coordinates, so at every noise
level the best prediction is still the mean E[x_0 | x_t]; planarity counts to first order, where
distances between atoms of a flat group do not change with it; and no direction is preferred.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import pair_indices, pair_selector

__all__ = ["neighbour_error"]


def neighbour_error(
    predicted: Float[Tensor, "b n 3"],
    clean: Float[Tensor, "b n 3"],
    weight: Float[Tensor, "b *sites"],
    reach: float,
) -> Float[Tensor, " b"]:
    """Return the mean squared error of the vectors between near atoms of each graph, (b,).

    It is per coordinate and halved, so errors that are independent from atom to atom give what
    the coordinates' own loss gives.  Graphs without two near atoms have 0.

    Parameters
    ----------
    predicted, clean:
        Coordinates in Å.
    weight:
        Weight of the squared error of each graph, (b,), or of each atom, (b, n); of two atoms the
        larger counts, so a pair of which one atom is clean has the weight of the other.
    reach:
        Largest distance in the clean graph, in Å.
    """
    i, j = pair_indices(clean.shape[1], clean.device)
    near = ((clean[:, i] - clean[:, j]).square().sum(-1) < reach**2).to(clean)
    if weight.ndim == 1:
        pairs = weight[:, None] * near
    else:
        pairs = torch.maximum(weight[:, i], weight[:, j]) * near
        near = near * (pairs > 0)
    error = pair_selector(clean.shape[1], clean.device, -1).to(clean) @ (predicted - clean)
    squared = (pairs * error.square().sum(-1)).sum(1) / 6
    return squared / near.sum(1).clamp_min(1)
