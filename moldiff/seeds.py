"""Random generators that are functions of integers, so that nothing has to be stored."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["generator"]


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator whose state depends on the integers of ``key`` alone."""
    words = [word for k in key for word in (k & 0xFFFFFFFF, k >> 32 & 0xFFFFFFFF)]
    seed = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(seed[0]) << 31) ^ int(seed[1]))
