"""Sharpen the predicted classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import Time, field_times
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Temperature"]


@register(
    "guidance",
    "temperature",
    cites={"ackley1985": "the temperature of a distribution"},
    context=("denoiser",),
)
@dataclass(frozen=True, eq=False)
class Temperature(Guidance):
    """Divide the logits of every categorical field by a temperature that may depend on time.

    Below 1 the most probable classes win more often: more valid, less diverse molecules.
    Early in a trajectory the classes decide which molecule forms, late whether it is free of
    faults, so a high ``early`` temperature and a low final one give new and valid molecules.

    Parameters
    ----------
    denoiser:
        The denoiser whose predictions are changed.
    temperature:
        Temperature at t = 0.
    early:
        Temperature at t = 1; in between it varies with t^2.  One number for all fields, or a
        number per field; fields left out, or all with None, stay at ``temperature``.

    Raises
    ------
    ConfigError
        If a temperature is not a number above 0, or a named field is not categorical.
    """

    denoiser: Denoiser
    temperature: float = 1.0
    early: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        fields = self.process.categorical()
        for field, value in [("", self.temperature), *self._starts().items()]:
            if field and field not in fields:
                raise ConfigError(
                    f"'{field}' has no temperature: it is not a field of classes of this model.",
                    fix=f"Those are {', '.join(sorted(fields)) or 'none'}.",
                )
            if not 0 < value < math.inf:  # false for NaN as well
                raise ConfigError(
                    f"The temperature must be a number above 0, not {value}.",
                    fix="Use 1 for the model as it was trained, less to sharpen its choices.",
                )

    def _starts(self) -> Mapping[str, float]:
        """The temperatures at t = 1 that differ from that at t = 0, by field."""
        if self.early is None:
            return {}
        if isinstance(self.early, Mapping):
            return self.early
        return dict.fromkeys(self.process.categorical(), self.early)

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        late, starts = self.temperature, self._starts()
        divided = {}
        for field in self.process.categorical():
            at_t = late + (starts.get(field, late) - late) * field_times(t, field).square()
            divided[field] = prediction[field] / expand(at_t, prediction[field])
        return prediction.replace(**divided)
