r"""Surroundings: what is around a graph pushes its predicted points, by a bounded step.

The context entry ``surroundings`` is a potential V of points in the frame of the batch (a pocket,
say).  At times between two bounds the predicted clean positions take a few steps down its gradient,

.. math:: \hat x_0 \leftarrow \hat x_0 - \min\{\lambda, d / |\nabla V|\}\, \nabla V(\hat x_0),

none longer than d, whatever the potential: deep inside of a wall, where V is steep and says little,
a point moves no further than from beside it.  Early predictions are blurred, so that a push means
nothing; the last ones are final, so that a push would stay as a strained bond.  In between the
network answers each push with a geometry of its own.  Clean sites stay.

The prediction is changed instead of the score by the gradient of log p(y | x_t), as for classifiers
(Song et al., 2021), since V is defined on clean points; there is no derivative of the network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import Time, field_times
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Surrounded", "Surroundings"]


class Surroundings(ABC):
    """A potential of points, in the frame of a batch."""

    @abstractmethod
    def gradient(self, x: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Return the gradient of the potential at points in Å, in its unit per Å."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Surroundings:
        """Return the potential on a device."""


@register(
    "guidance",
    "surroundings",
    cites={"song2021": "the idea: eq. 14 adds a gradient to the score"},
    context=("denoiser",),
)
@dataclass(frozen=True, eq=False)
class Surrounded(Guidance):
    """Push the predicted positions down the potential of the context's ``surroundings``, if any.

    Parameters
    ----------
    denoiser:
        The denoiser whose predictions are changed.
    strength:
        Step per gradient, in Å per (kcal/mol/Å).
    most:
        Longest step in Å; 0 is no guidance.
    rounds:
        Steps at each prediction.
    below, above:
        The times between which it acts.

    Raises
    ------
    ConfigError
        If a setting is negative, or no time lies between the bounds.
    """

    denoiser: Denoiser
    strength: float = 0.05
    most: float = 0.15
    rounds: int = 2
    below: float = 0.8
    above: float = 0.05

    def __post_init__(self) -> None:
        if min(self.strength, self.most, self.rounds, self.above) < 0:
            raise ConfigError(
                "strength, most, rounds and above of the guidance 'surroundings' are 0 or more.",
                fix="Try most=0.15.",
            )
        if not self.above < self.below <= 1:
            raise ConfigError(
                f"The guidance 'surroundings' acts at no time between {self.above:g} and "
                f"{self.below:g}.",
                fix="Try above=0.05,below=0.8.",
            )

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        around: Surroundings | None = x_t.context.get("surroundings")
        if around is None or self.most == 0:
            return prediction
        x, times = prediction["positions"], field_times(t, "positions")
        acts = expand((times > self.above) & (times <= self.below), x)
        for _ in range(self.rounds):
            step = around.gradient(x) * -self.strength
            length = step.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            x = x + torch.where(acts, step * (self.most / length).clamp_max(1.0), 0.0)
        return prediction.replace(positions=x)
