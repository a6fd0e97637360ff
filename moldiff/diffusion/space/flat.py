"""Coordinates: straight lines, and normal noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.space.base import Space
from moldiff.registry import register
from moldiff.seeds import normal

__all__ = ["Euclidean", "Flat", "Vectors", "ZeroCoM"]


class Flat(Space):
    """A linear subspace of R^d, or all of it; subclasses define the projection onto it."""

    def freed(self) -> Flat:
        return self

    def dimension(self, shape: tuple[int, ...]) -> int:
        """Return the degrees of freedom of one graph of a tensor of the given shape (b, ...)."""
        return math.prod(shape[1:])

    def project(self, x: Tensor) -> Tensor:
        return x

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        return self.project(normal(shape, rng=rng, device=device))

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        return a + w * (b - a)

    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        return (a - b).flatten(1).norm(dim=1)


@register("space", "euclidean", cites={"ho2020": "eq. 1"})
@dataclass(frozen=True)
class Euclidean(Flat):
    """R^d with standard normal noise."""


@register("space", "vectors", cites={"xu2023": "section 4.1, the invariant latents"})
@dataclass(frozen=True)
class Vectors(Flat):
    """R^width at every site, with standard normal noise: features, which do not rotate.

    Parameters
    ----------
    width:
        Values per site; for latents, set by the codec.
    """

    width: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError("vectors need at least one value")


@register(
    "space", "zero_com", cites={"kohler2020": "centred prior", "hoogeboom2022": "the subspace"}
)
@dataclass(frozen=True)
class ZeroCoM(Flat):
    """Point clouds (b, n, 3) whose centre of mass is the origin: translation is removed.

    Source: Köhler et al., "Equivariant Flows" (2020); Hoogeboom et al.
    (2022).
    """

    def freed(self) -> Flat:
        return Euclidean()

    def dimension(self, shape: tuple[int, ...]) -> int:
        return (shape[-2] - 1) * shape[-1] * math.prod(shape[1:-2])

    def project(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=-2, keepdim=True)
