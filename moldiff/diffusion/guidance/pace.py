"""Denoise one field faster or slower than the others, and than in training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.process import Product
from moldiff.diffusion.schedule import Schedule
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Pace"]


@register(
    "guidance",
    "pace",
    cites={"yim2023flow": "section 3.3: rotations at an exponential rate"},
    context=("denoiser",),
)
@dataclass(frozen=True, eq=False)
class Pace(Guidance):
    """Reverse a field along another schedule; predictions stay what they are.

    With less noise than in training at the same time, what the field says is settled before the
    others move.

    Parameters
    ----------
    denoiser:
        The denoiser that predicts.
    field:
        The field; of points the network's output is read by the schedule of training, so they
        cannot have another.
    schedule:
        Its schedule in sampling.

    Raises
    ------
    ConfigError
        If the process has no such field, or it is one of points.
    """

    denoiser: Denoiser
    field: str
    schedule: Schedule

    def __post_init__(self) -> None:
        product = self.denoiser.process
        fields = [f for f in product.processes if f not in product.gaussian()]
        if self.field not in fields:
            raise ConfigError(
                f"'{self.field}' has no pace: it is not a field of this model, or one of points.",
                fix=f"Those that have are {', '.join(fields) or 'none'}.",
            )

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside, with the field's other schedule."""
        product = self.denoiser.process
        part: Any = product[self.field]
        part = replace(part, schedule=self.schedule)
        return replace(product, processes={**product.processes, self.field: part})

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        return self.denoiser(x_t, t, previous)
