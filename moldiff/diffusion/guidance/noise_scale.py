"""Begin with less noise than in training, or with more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from moldiff.configuration import Range, check_fields
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.process import Gaussian, Product
from moldiff.diffusion.process.gaussian import PowerLaw
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["NoiseScale"]


@register(
    "guidance",
    "noise_scale",
    cites={"yim2023": "the noise scale of sampling"},
    context=("denoiser",),
)
@dataclass(frozen=True, eq=False)
class NoiseScale(Guidance):
    """Draw the noise of points with another scale; predictions stay what they are.

    Below 1 samples are nearer to the middle of the data: more of them are good, and they are more
    alike.  Above 1 they are wider, which makes up for few steps, in which molecules contract.

    Parameters
    ----------
    denoiser:
        The denoiser that predicts.
    field:
        A field of points.
    scale:
        Relative to the noise of training.

    Raises
    ------
    ConfigError
        If the process has no such field, or the scale is not above 0.
    """

    denoiser: Denoiser
    field: str
    scale: Annotated[float, Range(0, 2)] = 1.0

    def __post_init__(self) -> None:
        check_fields(self, "the guidance 'noise_scale'")
        fields = self.denoiser.process.gaussian()
        if self.field not in fields:
            raise ConfigError(
                f"'{self.field}' is no field of points of this model, so its noise has no scale.",
                fix=f"Those that have are {', '.join(fields) or 'none'}.",
            )
        if not self.scale:
            raise ConfigError(
                "Without noise nothing is drawn: the noise scale is 0.", fix="Try 0.7."
            )

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside, with other noise on the field."""
        product = self.denoiser.process
        part = product.gaussian()[self.field]
        return replace(
            product, processes={**product.processes, self.field: _scaled(part, self.scale)}
        )

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        return self.denoiser(x_t, t, previous)


def _scaled(process: Gaussian, factor: float) -> Gaussian:
    scale = process.scale
    if isinstance(scale, PowerLaw):
        return replace(process, scale=replace(scale, spread=factor * scale.spread))
    return replace(process, scale=factor * scale)
