r"""Noising processes and their exact reversals, one per kind of field, and their product.

**Gaussian** (coordinates): :math:`x_t = \alpha_t x_0 + \sigma_t z`.  With
:math:`\hat z = (x_t - \alpha_t \hat x_0)/\sigma_t` and
:math:`\tau = \eta\,(1 - (\alpha_t \sigma_s / \alpha_s \sigma_t)^2)` one reverse step is

.. math:: x_s = \alpha_s \hat x_0 + \sigma_s (\sqrt{1-\tau}\, \hat z + \sqrt{\tau}\, \epsilon)

eta = 1 is ancestral DDPM (Ho et al. 2020, eq. 7); eta = 0 is DDIM (Song et al. 2021,
eq. 12), the probability-flow ODE, and for the rectified schedule exactly Euler's step.

**Jump** (classes): in continuous time a class is kept with probability alpha_t and
otherwise redrawn from pi: :math:`q(x_t|x_0) = \alpha_t \delta + (1-\alpha_t)\pi`.  The
reverse kernel is closed-form between any two times, so the number of sampling steps is
free (Austin et al., D3PM, 2021, eq. 3-4; Campbell et al. 2022).  With ``churn`` c the step
from t to s goes on to (1 - c) s, and noise brings it back to s.  The marginals stay exact
for every c; at c = 1 all classes are drawn afresh from the prediction, so that choices made
early can be mended (the remasking and corrector samplers of discrete flows, Campbell et al.
2024, generalised to any noise).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from moldiff.batch import FIELDS, Batch, pair_count
from moldiff.errors import ConfigError, did_you_mean
from moldiff.registry import build, describe, register
from moldiff.schedule import Schedule
from moldiff.space import Categorical, Space, ZeroCoM, expand

State = Shaped[Tensor, "b ..."]
Guess = Float[Tensor, "b ..."]  # coordinates, or logits with one more dimension
Times = Float[Tensor, " b"]

__all__ = ["Gaussian", "Jump", "Process", "Product"]


class Process(ABC):
    """The noising of one field."""

    space: Space
    schedule: Schedule

    @abstractmethod
    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Draw the field at t = 1, or the noise z that :meth:`forward` mixes in."""

    @abstractmethod
    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        """Draw x_t given x_s for times s <= t, each (b,); ``noise`` overrides the draw."""

    @abstractmethod
    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Draw x_s given x_t and the predicted clean value, for times s <= t, each (b,).

        ``eta`` from 0 to 1 is the amount of fresh randomness: that of DDIM for a Gaussian,
        the churn for a jump process.
        """

    @abstractmethod
    def loss(self, x0_hat: Guess, x_0: State) -> Times:
        """Return the error of a prediction per graph, (b,), averaged over its sites."""

    @abstractmethod
    def mode(self, x0_hat: Guess) -> State:
        """Return the most probable clean value under a prediction."""


@register("process", "gaussian")
@dataclass(frozen=True)
class Gaussian(Process):
    """Gaussian noise on coordinates.

    Parameters
    ----------
    schedule:
        alpha(t) and sigma(t), dimensionless.
    space:
        :class:`~moldiff.space.ZeroCoM` or :class:`~moldiff.space.Euclidean`.
    scale:
        Noise of one unit of sigma, in Å; close to the spread of the data per axis.
    """

    schedule: Schedule
    space: Space = ZeroCoM()
    scale: float = 1.0

    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level in Å at times t."""
        return self.scale * self.schedule.sigma(t)

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        one = torch.ones((), dtype=torch.float32)
        return float(self.sigma(one)) * self.space.prior(shape, rng=rng, device=device)

    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        if noise is None:
            noise = self.prior(tuple(x_s.shape), rng=rng, device=x_s.device)
        ratio = self.schedule.alpha(t) / self.schedule.alpha(s)
        variance = self.schedule.sigma(t) ** 2 - (ratio * self.schedule.sigma(s)) ** 2
        # `noise` has the size of the prior; divide by it to have unit normal noise in Å.
        unit = variance.clamp_min(0).sqrt() / self.schedule.sigma(torch.ones_like(t))
        return expand(ratio, x_s) * x_s + expand(unit, x_s) * noise

    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        alpha_t, alpha_s = self.schedule.alpha(t), self.schedule.alpha(s)
        sigma_t, sigma_s = self.sigma(t), self.sigma(s)
        z_hat = (x_t - expand(alpha_t, x_t) * x0_hat) / expand(sigma_t, x_t)
        if eta > 0:
            tau = eta * (1 - (alpha_t * sigma_s / (alpha_s * sigma_t)) ** 2).clamp(0, 1)
            fresh = self.space.prior(tuple(x_t.shape), rng=rng, device=x_t.device)
            z_hat = expand((1 - tau).sqrt(), x_t) * z_hat + expand(tau.sqrt(), x_t) * fresh
        return expand(alpha_s, x_t) * x0_hat + expand(sigma_s, x_t) * z_hat

    def loss(self, x0_hat: Guess, x_0: State) -> Times:
        """Return the mean squared error in Å^2, (b,)."""
        return (x0_hat - x_0).square().flatten(1).mean(1)

    def mode(self, x0_hat: Guess) -> State:
        return x0_hat


@register("process", "jump")
@dataclass(frozen=True)
class Jump(Process):
    """Classes that are redrawn from ``space.probabilities`` at random moments.

    States are indices (b, ...), predictions are logits (b, ..., k).
    """

    schedule: Schedule
    space: Categorical

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        return self.space.prior(shape, rng=rng, device=device)

    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        if noise is None:
            noise = self.prior(tuple(x_s.shape), rng=rng, device=x_s.device)
        keep = self.schedule.alpha(t) / self.schedule.alpha(s)
        u = torch.rand(x_s.shape, generator=rng, device=rng.device).to(x_s.device)
        return torch.where(u < expand(keep, x_s), x_s, noise)

    def posterior(self, x_t: State, x0_hat: Guess, t: Times, s: Times) -> Guess:
        """Return p(x_s | x_t) unnormalised, (b, ..., k), given logits of x_0.

        The sum over x_0 of the exact kernel q(x_s | x_t, x_0) weighted with the
        prediction, in closed form.
        """
        pi = self.space.weights(x_t)
        alpha_t = expand(self.schedule.alpha(t), x0_hat)
        alpha_s = expand(self.schedule.alpha(s), x0_hat)
        keep = alpha_t / alpha_s
        here = F.one_hot(x_t, self.space.classes).to(x0_hat.dtype)
        pi_here = pi[x_t].unsqueeze(-1)
        evidence = alpha_t * here + (1 - alpha_t) * pi_here  # q(x_t | x_0 = k) for each k
        # Classes that cannot have led to x_t (mask noise) leave before the softmax: however
        # sure the prediction is of one of them, the others keep weights that are not zero.
        x0 = torch.softmax(x0_hat.masked_fill(evidence <= 0, -torch.inf), dim=-1)
        weight = x0 / evidence.clamp_min(1e-30)
        prior = alpha_s * weight + (1 - alpha_s) * pi * weight.sum(-1, keepdim=True)
        return (keep * here + (1 - keep) * pi_here) * prior

    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Draw x_s: to (1 - eta) s by the posterior, back to s by noise."""
        r = (1 - eta) * s
        x_r = self.space.draw(self.posterior(x_t, x0_hat, t, r), rng=rng)
        return self.forward(x_r, r, s, rng=rng) if eta > 0 else x_r

    def loss(self, x0_hat: Guess, x_0: State) -> Times:
        """Return the mean cross-entropy in nats, (b,)."""
        entropy = F.cross_entropy(x0_hat.flatten(0, -2), x_0.flatten(), reduction="none")
        return entropy.view(x_0.shape[0], -1).mean(1)

    def mode(self, x0_hat: Guess) -> State:
        return x0_hat.argmax(-1)


@dataclass(frozen=True, eq=False)
class Product:
    """One process per field; a step of the product is a step of each of them."""

    processes: Mapping[str, Process]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Product:
        """Build ``{field: process mapping}``.

        Raises
        ------
        ConfigError
            If there is no field, or one that is unknown, or a process cannot be made.
        """
        unknown = [field for field in config if field not in FIELDS]
        if unknown or not config:
            raise ConfigError(
                f"There is no field '{unknown[0]}'." if unknown else "The process has no field.",
                fix=did_you_mean(str(unknown[0]) if unknown else "", FIELDS),
            )
        # In the order of FIELDS: that of random draws and of the network's inputs and heads
        # follows, and may not depend on how a configuration file happens to be sorted.
        return cls({field: build("process", config[field]) for field in FIELDS if field in config})

    def to_config(self) -> dict[str, Any]:
        """Return the mapping :meth:`from_config` reads."""
        return {field: describe(process) for field, process in self.processes.items()}

    def __getitem__(self, field: str) -> Process:
        return self.processes[field]

    def shape(self, field: str, b: int, n: int) -> tuple[int, ...]:
        """Return the shape of a field for b graphs of n atoms."""
        sites = {"atom": (n,), "pair": (pair_count(n),), "graph": ()}[FIELDS[field].scope]
        return (b, *sites, *FIELDS[field].shape)

    def prior(
        self, b: int, n: int, *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw b graphs of n atoms of pure noise."""
        return Batch(
            {
                field: process.prior(self.shape(field, b, n), rng=rng, device=device)
                for field, process in self.processes.items()
            }
        )

    def forward(
        self, x_s: Batch, s: Tensor, t: Tensor, *, rng: torch.Generator, noise: Batch | None = None
    ) -> Batch:
        """Draw x_t given x_s in every field."""
        return Batch(
            {
                field: process.forward(
                    x_s[field], s, t, rng=rng, noise=None if noise is None else noise[field]
                )
                for field, process in self.processes.items()
            }
        )

    def reverse(
        self,
        x_t: Batch,
        x0_hat: Batch,
        t: Tensor,
        s: Tensor,
        *,
        eta: float,
        churn: float,
        rng: torch.Generator,
    ) -> Batch:
        """Draw x_s given x_t and the prediction: ``eta`` for coordinates, ``churn`` for classes."""
        fresh = {f: eta if isinstance(p, Gaussian) else churn for f, p in self.processes.items()}
        return Batch(
            {
                field: process.reverse(x_t[field], x0_hat[field], t, s, eta=fresh[field], rng=rng)
                for field, process in self.processes.items()
            }
        )

    def mix(self, a: Batch, b: Batch, w: Mapping[str, Tensor | float]) -> Batch:
        """Go from prediction a towards prediction b by w[field]."""
        return Batch({f: p.space.mix(a[f], b[f], w[f]) for f, p in self.processes.items()})

    def mode(self, x0_hat: Batch) -> Batch:
        """Return the most probable clean batch under a prediction."""
        return Batch({f: p.mode(x0_hat[f]) for f, p in self.processes.items()})

    def categorical(self) -> dict[str, int]:
        """Return the number of classes of each categorical field."""
        return {
            field: process.space.classes
            for field, process in self.processes.items()
            if isinstance(process.space, Categorical)
        }

    def gaussian(self) -> dict[str, Gaussian]:
        """Return the Gaussian processes by field."""
        return {f: p for f, p in self.processes.items() if isinstance(p, Gaussian)}
