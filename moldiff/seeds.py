"""Random generators derived from integers, so that no state has to be stored, and draws.

Numbers are drawn on the generator's own device and then moved to the device of use, so the same
seed gives the same numbers on every target device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["generator", "normal", "uniform"]


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator whose state depends only on the integers of ``key``."""
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
        Target device and type; by default those of the draw.
    """
    numbers = torch.rand(tuple(shape), generator=rng, device=rng.device)
    return numbers.to(device=rng.device if device is None else device, dtype=dtype)


def normal(
    shape: Sequence[int],
    *,
    rng: torch.Generator,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "..."]:
    """Draw standard normal numbers, in single precision; see `uniform`."""
    numbers = torch.randn(tuple(shape), generator=rng, device=rng.device)
    return numbers.to(device=rng.device if device is None else device, dtype=dtype)
