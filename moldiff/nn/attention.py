"""Attention among the atoms of a graph, with a bias per pair."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.diffusion.batch import pair_table

__all__ = ["pair_attention"]


def pair_attention(
    qkv: Float[Tensor, "b n three_widths"], bias: Float[Tensor, "b e heads"]
) -> Float[Tensor, "b n width"]:
    """Return the attention output of every atom, (b, n, width); the bias sets the number of heads.

    Parameters
    ----------
    qkv:
        Queries, keys and values side by side, (b, n, 3 width).
    bias:
        Added to the logits of each pair in both directions, (b, e, heads); an atom's bias with
        itself is 0 (Jumper et al., AlphaFold 2, 2021, algorithm 7, line 3).
    """
    (b, n, three_widths), heads = qkv.shape, bias.shape[-1]
    q, k, v = qkv.view(b, n, 3, heads, -1).permute(2, 0, 3, 1, 4)
    # The pairs of all (i, j), of which the last, i = j, has no bias; rows are contiguous.
    padded = F.pad(bias, (0, 0, 0, 1))
    dense = padded.index_select(1, pair_table(n, bias.device)).view(b, n, n, heads)
    dense = dense.permute(0, 3, 1, 2)
    scale = (three_widths // 3 // heads) ** -0.5
    weights = torch.softmax(q @ k.transpose(-1, -2) * scale + dense, -1)
    return (weights @ v).transpose(1, 2).reshape(b, n, three_widths // 3)
