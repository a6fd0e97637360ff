"""Random generators that are functions of integers, so that nothing has to be stored, and draws.

A draw comes from the generator's own device and then moves to where it is used: the same seed gives
the same numbers on every device that they move to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["generator", "normal", "uniform"]


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator whose state depends on the integers of ``key`` alone."""
    words = [word for k in key for word in (k & 0xFFFFFFFF, k >> 32 & 0xFFFFFFFF)]
    seed = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(seed[0]) << 31) ^ int(seed[1]))


def uniform(
    shape: Sequence[int],
    *,
    rng: torch.Generator,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "..."]:
    """Draw numbers uniformly from [0, 1), in single precision.

    Parameters
    ----------
    shape:
        Shape of the result.
    rng:
        Source of randomness.
    device, dtype:
        Where the numbers go and what they become; as they were drawn if left out.
    """
    drawn = torch.rand(tuple(shape), generator=rng, device=rng.device)
    return drawn.to(device=rng.device if device is None else device, dtype=dtype)


def normal(
    shape: Sequence[int],
    *,
    rng: torch.Generator,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "..."]:
    """Draw standard normal numbers, in single precision; see `uniform`."""
    drawn = torch.randn(tuple(shape), generator=rng, device=rng.device)
    return drawn.to(device=rng.device if device is None else device, dtype=dtype)
