"""Batches made from other batches."""

from __future__ import annotations

import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch, pair_count, pair_indices


def permuted(batch: Batch, order: Tensor) -> Batch:
    """The same molecules with atom ``order[a]`` in place a."""
    n = len(order)
    i, j = pair_indices(n, order.device)
    index = torch.zeros(n, n, dtype=torch.long)
    index[i, j] = index[j, i] = torch.arange(pair_count(n))
    pairs = index[order[i], order[j]]
    return Batch({f: v[:, pairs if f == "bonds" else order] for f, v in batch.items()})
