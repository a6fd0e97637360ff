"""Attention among the atoms of a graph, with a bias per pair."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import pair_indices

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
    i, j = pair_indices(n, qkv.device)
    by_head = bias.transpose(1, 2)
    dense = by_head.new_zeros(b, heads, n, n)
    dense[:, :, i, j] = by_head
    dense[:, :, j, i] = by_head
    scale = (three_widths // 3 // heads) ** -0.5
    weights = torch.softmax(q @ k.transpose(-1, -2) * scale + dense, -1)
    return (weights @ v).transpose(1, 2).reshape(b, n, three_widths // 3)
