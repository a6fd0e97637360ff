"""The interface of spaces."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["Space", "expand"]


def expand(t: Shaped[Tensor, "b ..."], x: Shaped[Tensor, "b ..."]) -> Shaped[Tensor, "b ..."]:
    """Reshape values t of graphs, (b,), or sites, (b, sites), to broadcast against x, (b, ...)."""
    return t.reshape(*t.shape, *([1] * (x.ndim - t.ndim)))


class Space(ABC):
    """The space of the values of a field."""

    @abstractmethod
    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Draw pure noise of the given shape (b, ...)."""

    def freed(self) -> Space:
        """Return the space for graphs whose frame is fixed by clean sites."""
        return self

    @abstractmethod
    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        """Move from a (w = 0) towards b (w = 1); w may lie outside [0, 1]."""

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """Return the nearest point of the space."""

    @abstractmethod
    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        """Return the distance of each graph's values, shape (b,)."""
