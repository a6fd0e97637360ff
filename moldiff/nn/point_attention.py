r"""Invariant point attention: atoms attend to others by features and position.

The logit of query q at point y and key k at point z is

.. math:: q \cdot k / \sqrt d - \gamma |y - z|^2

(Jumper et al., AlphaFold 2, 2021, supplement, algorithm 22, for one point per head).  It is
one plain attention by :math:`-\gamma |y-z|^2 = 2 \gamma y \cdot z - \gamma |y|^2 - \gamma |z|^2`:
the term in :math:`|y|^2` is the same for all keys and cancels in the softmax.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["point_attention"]


def point_attention(
    queries: tuple[Float[Tensor, "a heads d"], Float[Tensor, "a heads 3"]],
    keys: tuple[Float[Tensor, "m heads d"], Float[Tensor, "m heads 3"]],
    values: Float[Tensor, "m heads d"],
    gamma: Float[Tensor, " heads"],
) -> tuple[Float[Tensor, "a heads d"], Float[Tensor, "a heads 3"]]:
    """Return the output of each query: values, and points relative to its own, in Å.

    Parameters
    ----------
    queries, keys:
        Features and points (Å) of each head.
    values:
        Features that the queries gather.
    gamma:
        Weight of a squared distance in each head, 1/Å^2.
    """
    (query, y), (key, z) = ((f.transpose(0, 1), x.transpose(0, 1)) for f, x in (queries, keys))
    size = query.shape[-1]
    gamma = gamma.view(-1, 1, 1)
    logits = torch.cat([query * size**-0.5, 2 * gamma * y], -1) @ torch.cat([key, z], -1).mT
    logits = logits - gamma * z.square().sum(-1).unsqueeze(1)
    output = logits.softmax(-1) @ torch.cat([values.transpose(0, 1), z], -1)
    return output[..., :size].transpose(0, 1), (output[..., size:] - y).transpose(0, 1)
