"""Classes that jump at random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.diffusion.process.base import Guess, Process, State, Times
from moldiff.diffusion.schedule import Schedule
from moldiff.diffusion.space import Categorical, Subset, expand
from moldiff.registry import register
from moldiff.seeds import uniform

__all__ = ["Jump"]

_LARGEST_ALPHA = 0.05  # largest alpha(1) for which sampling can start from pure noise


@register(
    "process",
    "jump",
    cites={"austin2021": "eq. 3-4", "campbell2022": "continuous time", "campbell2024": "the churn"},
)
@dataclass(frozen=True)
class Jump(Process):
    """Classes that are redrawn from ``space.probabilities`` at random moments.

    States are indices (b, ...), predictions are logits (b, ..., k).
    """

    schedule: Schedule
    space: Categorical | Subset

    driven_by: ClassVar[Literal["eta", "churn"]] = "churn"

    def among(self, allowed: Bool[Tensor, "_ _ k"]) -> Jump:
        assert isinstance(self.space, Categorical), "the classes are restricted once"
        return replace(self, space=Subset(self.space, allowed))

    def refusal(self, schedule: Schedule) -> str | None:
        alpha = float(schedule.alpha(torch.ones(())))
        if alpha <= _LARGEST_ALPHA:  # false for NaN as well
            return None
        return f"at t = 1 a class is still kept with probability {alpha:.2g}"

    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        if noise is None:
            noise = self.prior(tuple(x_s.shape), rng=rng, device=x_s.device)
        keep = self.schedule.alpha(t) / self.schedule.alpha(s)
        u = uniform(x_s.shape, rng=rng, device=x_s.device)
        return torch.where(u < expand(keep, x_s), x_s, noise)

    def posterior(self, x_t: State, x0_hat: Guess, t: Times, s: Times) -> Guess:
        """Return p(x_s | x_t) unnormalised, (b, ..., k), given logits of x_0.

        The sum over x_0 of the exact kernel q(x_s | x_t, x_0), weighted by the
        prediction, in closed form.
        """
        pi = self.space.weights(x_t)
        alpha_t = expand(self.schedule.alpha(t), x0_hat)
        alpha_s = expand(self.schedule.alpha(s), x0_hat)
        keep = alpha_t / alpha_s
        one_hot = F.one_hot(x_t, self.space.classes).to(x0_hat.dtype)
        pi_t = pi.expand(*x_t.shape, -1).gather(-1, x_t.unsqueeze(-1))
        evidence = alpha_t * one_hot + (1 - alpha_t) * pi_t  # q(x_t | x_0 = k) for each k
        # Classes that cannot have led to x_t (mask noise) are removed before the softmax, so
        # that even a prediction certain of one of them leaves the others nonzero weights.
        x0 = torch.softmax(x0_hat.masked_fill(evidence <= 0, -torch.inf), dim=-1)
        weight = x0 / evidence.clamp_min(1e-30)
        prior = alpha_s * weight + (1 - alpha_s) * pi * weight.sum(-1, keepdim=True)
        return (keep * one_hot + (1 - keep) * pi_t) * prior

    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Draw x_s: go to (1 - eta) s by the posterior, and back to s by noise."""
        r = (1 - eta) * s
        x_r = self.space.draw(self.posterior(x_t, x0_hat, t, r), rng=rng)
        return self.forward(x_r, r, s, rng=rng) if eta > 0 else x_r

    def correct(
        self, x_t: State, x0_hat: Guess, t: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Go back to (1 - eta) t by the posterior, and by noise to t again.

        Exact for every eta if sites are independent given x_t; for small eta it is the
        corrector of Campbell et al. (2022).
        """
        return self.reverse(x_t, x0_hat, t, t, eta=eta, rng=rng) if eta > 0 else x_t

    def errors(self, x0_hat: Guess, x_0: State) -> Float[Tensor, "b ..."]:
        """Return the cross-entropy of each site in nats, (b, ...)."""
        entropy = F.cross_entropy(x0_hat.flatten(0, -2), x_0.flatten(), reduction="none")
        return entropy.view(x_0.shape)

    def mode(self, x0_hat: Guess) -> State:
        return x0_hat.argmax(-1)
