"""The interface of steppers, and the two operations that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from moldiff.configuration import check_fields
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.diffusion.time import Time, batch_times

__all__ = ["State", "Stepper", "full", "predict", "reverse"]


@dataclass(frozen=True, eq=False)
class State:
    """The current state of a trajectory.

    Attributes
    ----------
    x:
        The batch at time t; at t = 0 the sample.
    prediction:
        The last prediction of x_0, or None before the first step.
    t, step:
        Time, and number of completed steps.
    made_at:
        The time at which ``prediction`` was made, or None before the first step.
    steps:
        Total number of steps of the trajectory.
    """

    x: Batch
    prediction: Batch | None
    t: float
    step: int = 0
    made_at: float | None = None
    steps: int = 1


class Stepper(ABC):
    """One step of a sampler from time t to time s < t."""

    evaluations: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the settings of a stepper that is a dataclass."""
        check_fields(self, f"the stepper {type(self).__name__}")

    @property
    def stochastic(self) -> bool:
        """Whether fresh noise enters the coordinates during sampling."""
        return False

    @abstractmethod
    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        """Return (x_s, the prediction of x_0 made at t)."""

    def refusal(self, process: Product) -> str | None:
        """Return why the stepper cannot reverse ``process``, or None."""
        return None


def full(batch: Batch, t: float) -> Time:
    """Return time t for each graph of a batch, (b,), or for each site if some are clean."""
    times = torch.full((batch.graphs,), t, device=batch.device, dtype=torch.float32)
    return batch_times(batch, times)


def predict(denoiser: Denoiser, x: Batch, t: float, previous: Batch | None) -> Batch:
    """Return the prediction of x_0 from x at time t."""
    return denoiser(x, full(x, t), previous)


def reverse(
    denoiser: Denoiser,
    x: Batch,
    x0_hat: Batch,
    times: tuple[float, float],
    *,
    eta: float = 0.0,
    churn: float = 0.0,
    rng: torch.Generator,
) -> Batch:
    """Draw x_s given x_t and a prediction, for ``times`` (t, s)."""
    t, s = (full(x, time) for time in times)
    return denoiser.process.reverse(x, x0_hat, t, s, eta=eta, churn=churn, rng=rng)
