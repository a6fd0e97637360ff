"""The interface of processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from moldiff.diffusion.schedule import Schedule
from moldiff.diffusion.space import Space, expand

State = Shaped[Tensor, "b ..."]
Guess = Float[Tensor, "b ..."]  # coordinates, or logits with one more dimension
Times = Float[Tensor, "b *sites"]  # of graphs, or of the sites of the field

__all__ = ["Flow", "Guess", "Process", "State", "Times"]


class Process(ABC):
    """The noising of one field."""

    space: Space
    schedule: Schedule
    driven_by: ClassVar[Literal["eta", "churn"]]
    """Which of a sampler's two amounts of randomness sets the ``eta`` of :meth:`reverse`."""

    def freed(self) -> Process:
        """Return the process for graphs whose frame is fixed by clean sites."""
        return self

    def among(self, allowed: Bool[Tensor, "_ _ k"]) -> Process:
        """Return the process for sites that may have only some classes.

        Raises
        ------
        ValueError
            If the field has no classes.
        """
        raise ValueError("only a field of classes can be restricted to some of them")

    def sized(self, shape: tuple[int, ...]) -> Process:
        """Return the process for fields of one shape (b, n, ...): n fixes what depends on it."""
        return self

    def refusal(self, schedule: Schedule) -> str | None:
        """Return why ``schedule`` does not take this field from data to noise, or None."""
        return None

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Draw the field at t = 1, or the noise z that :meth:`forward` mixes in."""
        return self.space.prior(shape, rng=rng, device=device)

    @abstractmethod
    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        """Draw x_t given x_s for times s <= t of graphs or sites; ``noise`` overrides the draw.

        From s = 0 the result is distributed as q(x_t | x_0) in every process.
        """

    @abstractmethod
    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Draw x_s given x_t and the predicted clean value, for times s <= t of graphs or sites.

        ``eta`` from 0 to 1 is the amount of fresh randomness.  Given the true clean value, x_s
        is distributed as q(x_s | x_0) for every eta.
        """

    @abstractmethod
    def correct(
        self, x_t: State, x0_hat: Guess, t: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Move x_t by a step of size ``eta`` that leaves its distribution unchanged."""

    @abstractmethod
    def errors(self, x0_hat: Guess, x_0: State) -> Float[Tensor, "b ..."]:
        """Return the error of a prediction in every value, (b, ...)."""

    def loss(
        self, x0_hat: Guess, x_0: State, weight: Float[Tensor, "b sites"] | None = None
    ) -> Float[Tensor, " b"]:
        """Return the mean error of a prediction per graph, (b,); 0 for graphs without sites.

        ``weight`` multiplies the errors of each site; sites of weight 0 do not count.
        """
        errors = self.errors(x0_hat, x_0)
        if weight is None:
            return errors.flatten(1).mean(1) if errors.numel() else errors.flatten(1).sum(1)
        weighed = (expand(weight, errors) * errors).flatten(1).sum(1)
        sites = expand((weight > 0).to(errors), errors).expand_as(errors)
        return weighed / sites.flatten(1).sum(1).clamp_min(1)

    @abstractmethod
    def mode(self, x0_hat: Guess) -> State:
        """Return the most probable clean value under a prediction."""


class Flow(Process):
    """A process of coordinates: at eta = 0 its reversal is a differential equation."""

    @abstractmethod
    def half_log_snr(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Return log(signal / noise) at times t, the time variable of the solvers."""
