"""From the sampling settings of a model to what samples it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moldiff.denoiser import Denoiser
from moldiff.errors import ConfigError
from moldiff.guidance.temperature import Temperature
from moldiff.sampler import Sampler

__all__ = ["with_settings"]


def with_settings(denoiser: Denoiser, sampling: Mapping[str, Any]) -> tuple[Denoiser, Sampler]:
    """Return the denoiser and the sampler that the ``sampling`` of a model stands for.

    Raises
    ------
    ConfigError
        If a setting is unknown or has an impossible value, or the process cannot be sampled so.
    """
    steps = dict(sampling)
    late, early = (steps.pop(key, None) for key in ("temperature", "early_temperature"))
    for value in (late, early):
        if value is not None and not isinstance(value, int | float):
            raise ConfigError(f"A temperature is a number, not {value!r}.")
    sampler = Sampler.from_config(steps)
    sampler.check(denoiser.process)
    if late is None and early is None:
        return denoiser, sampler
    return Temperature(denoiser, 1.0 if late is None else late, early), sampler
