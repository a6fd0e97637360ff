r"""The spaces fields live in, and the one linear operation each of them has.

``mix(a, b, w)`` goes from a towards b by w: along a straight line for coordinates,
linearly in the logits for classes.  Classifier-free guidance, multistep solvers and
geodesic paths are all written with it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from moldiff.registry import register

__all__ = ["Categorical", "Euclidean", "Space", "ZeroCoM", "expand"]


def expand(t: Float[Tensor, " b"], x: Shaped[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
    """Reshape per-graph values t, shape (b,), to broadcast against x, shape (b, ...)."""
    return t.reshape(-1, *([1] * (x.ndim - 1)))


class Space(ABC):
    """Where the values of a field live."""

    @abstractmethod
    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Draw pure noise of the given shape (b, ...)."""

    @abstractmethod
    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        """Go from a (w = 0) towards b (w = 1); w may lie outside [0, 1]."""

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """Return the nearest point of the space."""

    @abstractmethod
    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        """Return the distance of each graph's values, shape (b,)."""


@register("space", "euclidean")
@dataclass(frozen=True)
class Euclidean(Space):
    """R^d with standard normal noise."""

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        return self.project(torch.randn(shape, generator=rng, device=rng.device).to(device))

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        return a + w * (b - a)

    def project(self, x: Tensor) -> Tensor:
        return x

    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        return (a - b).flatten(1).norm(dim=1)


@register("space", "zero_com")
@dataclass(frozen=True)
class ZeroCoM(Space):
    """Point clouds (b, n, 3) whose centre of mass is the origin: translation is removed.

    Source: Köhler et al., "Equivariant Flows" (2020), section 5; Hoogeboom et al.
    (2022), section 3.1.
    """

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        return self.project(torch.randn(shape, generator=rng, device=rng.device).to(device))

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        return a + w * (b - a)

    def project(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=-2, keepdim=True)

    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        return (a - b).flatten(1).norm(dim=1)


@register("space", "categorical")
@dataclass(frozen=True)
class Categorical(Space):
    """k classes; noise is drawn from ``probabilities`` (uniform, marginal or a mask).

    States are class indices (b, ...); predictions and ``mix`` are logits (b, ..., k).

    Parameters
    ----------
    probabilities:
        The noise distribution pi over the k classes.  Equal values give D3PM's
        uniform kernel (Austin et al. 2021), the data's own frequencies DiGress's
        marginal kernel (Vignac et al. 2023), a one-hot the absorbing kernel.
    """

    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        sums_to_one = abs(math.fsum(self.probabilities) - 1) <= 1e-4  # false for NaN as well
        # One class is legal: data without formal charges has nothing to choose.
        if not self.probabilities or min(self.probabilities) < 0 or not sums_to_one:
            raise ValueError("probabilities must not be negative and must sum to 1")

    @property
    def classes(self) -> int:
        """Number of classes k."""
        return len(self.probabilities)

    def weights(self, like: Tensor) -> Tensor:
        """Return pi as a tensor (k,) beside ``like``."""
        pi = torch.tensor(self.probabilities, dtype=torch.float32, device=like.device)
        return pi / pi.sum()

    def draw(
        self, probabilities: Float[Tensor, "*s k"], *, rng: torch.Generator
    ) -> Int[Tensor, "*s"]:
        """Draw class indices (b, ...) from unnormalised probabilities (b, ..., k)."""
        cumulative = probabilities.cumsum(-1)
        u = torch.rand(probabilities.shape[:-1], generator=rng, device=rng.device)
        u = u.to(probabilities.device).unsqueeze(-1) * cumulative[..., -1:]
        return (u >= cumulative[..., :-1]).sum(-1)

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        pi = self.weights(torch.empty(0, device=device))
        return self.draw(pi.expand(*shape, self.classes), rng=rng)

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        return a + w * (b - a)

    def project(self, x: Tensor) -> Tensor:
        """Return normalised log-probabilities of logits (b, ..., k)."""
        return torch.log_softmax(x, dim=-1)

    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        """Return the number of sites whose most probable class differs, shape (b,)."""
        return (a.argmax(-1) != b.argmax(-1)).flatten(1).sum(1).float()
