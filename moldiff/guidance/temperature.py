"""Sharpen the predicted classes."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from moldiff.batch import Batch
from moldiff.denoiser import Denoiser
from moldiff.errors import ConfigError
from moldiff.process import Product

__all__ = ["Temperature"]


@dataclass(frozen=True, eq=False)
class Temperature(Denoiser):
    """Divide the logits of every categorical field by ``temperature``.

    Below 1 the most probable classes win more often: more valid, less diverse molecules.
    """

    denoiser: Denoiser
    temperature: float

    def __post_init__(self) -> None:
        if not self.temperature > 0:  # true for NaN as well
            raise ConfigError(
                f"The temperature must be above 0, not {self.temperature}.",
                fix="Use 1 for the model as it was trained, less to sharpen its choices.",
            )

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside."""
        return self.denoiser.process

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        return prediction.replace(
            **{f: prediction[f] / self.temperature for f in self.process.categorical()}
        )
