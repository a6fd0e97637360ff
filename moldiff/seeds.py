"""Random generators derived from integers, so that no state has to be stored, and draws.

Numbers are drawn on the generator's own device and then moved to the device of use, so the same
seed gives the same numbers on every target device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Generators", "generator", "integer", "normal", "uniform"]


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator whose state depends only on the integers of ``key``."""
    words = [word for k in key for word in (k & 0xFFFFFFFF, k >> 32 & 0xFFFFFFFF)]
    seed = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(seed[0]) << 31) ^ int(seed[1]))


class Generators(torch.Generator):
    """A generator for each graph of a batch: what is drawn for a graph does not depend on others.

    It stands in for a generator wherever numbers are drawn by `uniform` and `normal`, whose first
    dimension is then the graphs.
    """

    def __new__(cls, each: Sequence[torch.Generator]) -> Generators:
        return super().__new__(cls)

    def __init__(self, each: Sequence[torch.Generator]) -> None:
        self.each = tuple(each)


def _drawn(
    function: Callable[..., Tensor], shape: Sequence[int], rng: torch.Generator
) -> Float[Tensor, "..."]:
    if not isinstance(rng, Generators):
        return function(tuple(shape), generator=rng, device=rng.device)
    if not shape or shape[0] != len(rng.each):
        raise ValueError(f"{len(rng.each)} generators cannot draw the shape {tuple(shape)}")
    return torch.stack([function(tuple(shape[1:]), generator=one) for one in rng.each])


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
    numbers = _drawn(torch.rand, shape, rng)
    return numbers.to(device=rng.device if device is None else device, dtype=dtype)


def normal(
    shape: Sequence[int],
    *,
    rng: torch.Generator,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "..."]:
    """Draw standard normal numbers, in single precision; see `uniform`."""
    numbers = _drawn(torch.randn, shape, rng)
    return numbers.to(device=rng.device if device is None else device, dtype=dtype)


def integer(low: int, high: int, *, rng: torch.Generator) -> int:
    """Draw an integer from ``low`` to ``high``, both included."""
    return min(high, low + int(float(uniform((), rng=rng)) * (high - low + 1)))
