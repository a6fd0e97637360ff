"""Sharpen the predicted classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from moldiff.batch import Batch
from moldiff.denoiser import Denoiser
from moldiff.errors import ConfigError
from moldiff.process import Product
from moldiff.space import expand

__all__ = ["Temperature"]


@dataclass(frozen=True, eq=False)
class Temperature(Denoiser):
    """Divide the logits of every categorical field by a temperature that may depend on time.

    Below 1 the most probable classes win more often: more valid, less diverse molecules.
    Early in a trajectory that decides which molecule it becomes, late whether the molecule is
    without faults, so a high temperature ``early`` and a low one at the end give molecules
    which are new and valid.

    Parameters
    ----------
    denoiser:
        Whose predictions are to be changed.
    temperature:
        At t = 0.
    early:
        At t = 1; in between it falls with t^2.  None: as ``temperature``.
    """

    denoiser: Denoiser
    temperature: float
    early: float | None = None

    def __post_init__(self) -> None:
        for value in (self.temperature, self.start):
            if not 0 < value < math.inf:  # false for NaN as well
                raise ConfigError(
                    f"The temperature must be a number above 0, not {value}.",
                    fix="Use 1 for the model as it was trained, less to sharpen its choices.",
                )

    @property
    def start(self) -> float:
        """The temperature at t = 1."""
        return self.temperature if self.early is None else self.early

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside."""
        return self.denoiser.process

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        at_t = self.temperature + (self.start - self.temperature) * t.square()
        return prediction.replace(
            **{f: prediction[f] / expand(at_t, prediction[f]) for f in self.process.categorical()}
        )
