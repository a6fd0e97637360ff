"""Denoise one field faster or slower than the others, and than in training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.process import Product
from moldiff.diffusion.schedule import VE, Schedule
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

    The network sees the field with less noise than it was trained with at that time.  Rotations of
    residues are then nearly settled before the positions move: helices and strands form in more
    samples.

    Parameters
    ----------
    denoiser:
        The denoiser that predicts.
    field:
        The field.
    schedule:
        Its schedule in sampling.

    Raises
    ------
    ConfigError
        If the process has no such field.
    """

    denoiser: Denoiser
    field: str = "frames"
    schedule: Schedule = VE(sigma_min=2e-9, sigma_max=1.0)

    def __post_init__(self) -> None:
        if self.field not in self.denoiser.process.processes:
            raise ConfigError(
                f"'{self.field}' has no pace: it is not a field of this model.",
                fix=f"Its fields are {', '.join(self.denoiser.process.processes)}.",
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
