"""Classes: states are indices, predictions are logits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from moldiff.diffusion.space.base import Space
from moldiff.registry import register
from moldiff.seeds import uniform

__all__ = ["Categorical", "Subset"]

_NEVER = -1e4  # a logit of probability 0 that can still be mixed and divided


@register("space", "categorical", cites={"austin2021": "section 3.1", "vignac2023": "section 4.1"})
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
    mask:
        The last class is not a value of the data but stands for a hidden one: noise may take
        it, predictions never do.
    """

    probabilities: tuple[float, ...]
    mask: bool = False

    def __post_init__(self) -> None:
        sums_to_one = abs(math.fsum(self.probabilities) - 1) <= 1e-4  # false for NaN as well
        # A single class is legal: data without formal charges have one charge.
        if not self.probabilities or min(self.probabilities) < 0 or not sums_to_one:
            raise ValueError("probabilities must not be negative and must sum to 1")
        if self.mask and len(self.probabilities) < 2:
            raise ValueError("there must be a class besides the mask")

    @property
    def classes(self) -> int:
        """Number of classes k."""
        return len(self.probabilities)

    def weights(self, like: Tensor) -> Tensor:
        """Return pi as a tensor (k,) on the device of ``like``."""
        pi = torch.tensor(self.probabilities, dtype=torch.float32, device=like.device)
        return pi / pi.sum()

    def visible(self, logits: Float[Tensor, "*s k"]) -> Float[Tensor, "*s k"]:
        """Return logits (b, ..., k) that exclude the mask, if there is one."""
        return F.pad(logits[..., :-1], (0, 1), value=_NEVER) if self.mask else logits

    def draw(
        self, probabilities: Float[Tensor, "*s k"], *, rng: torch.Generator
    ) -> Int[Tensor, "*s"]:
        """Draw class indices (b, ...) from unnormalised probabilities (b, ..., k)."""
        cumulative = probabilities.cumsum(-1)
        u = uniform(probabilities.shape[:-1], rng=rng, device=probabilities.device)
        u = u.unsqueeze(-1) * cumulative[..., -1:]
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


@dataclass(frozen=True, eq=False)
class Subset(Space):
    """Classes of which each site may have only some (`moldiff.diffusion.allowed`).

    Parameters
    ----------
    space:
        All classes.
    allowed:
        (b, sites, k), with 1 in place of b or of the sites for what they share.
    """

    space: Categorical
    allowed: Bool[Tensor, "_ _ k"]

    @property
    def classes(self) -> int:
        """Number of classes k, allowed or not."""
        return self.space.classes

    def weights(self, like: Tensor) -> Tensor:
        """Return pi over the allowed classes of each site, (b, sites, k) or broadcastable to it.

        Noise that is a mask stays a mask.  Classes without noise are equally probable.
        """
        if self.space.mask:
            return self.space.weights(like)
        allowed = self.allowed.to(like.device, torch.float32)
        pi = allowed * self.space.weights(like)
        pi = torch.where(pi.sum(-1, keepdim=True) > 0, pi, allowed)
        return pi / pi.sum(-1, keepdim=True)

    def visible(self, logits: Float[Tensor, "*s k"]) -> Float[Tensor, "*s k"]:
        """Return logits that exclude what is not allowed."""
        return self.space.visible(logits).masked_fill(~self.allowed.to(logits.device), _NEVER)

    def draw(
        self, probabilities: Float[Tensor, "*s k"], *, rng: torch.Generator
    ) -> Int[Tensor, "*s"]:
        """Draw class indices, see :meth:`Categorical.draw`."""
        return self.space.draw(probabilities, rng=rng)

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        pi = self.weights(torch.empty(0, device=device))
        return self.draw(pi.expand(*shape, self.classes), rng=rng)

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        return self.space.mix(a, b, w)

    def project(self, x: Tensor) -> Tensor:
        return self.space.project(x)

    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        return self.space.distance(a, b)
