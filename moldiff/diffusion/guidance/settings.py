"""From the sampling settings of a model to what samples it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from moldiff.diffusion.denoiser import Denoiser, NetworkDenoiser
from moldiff.diffusion.guidance.classifier_free import ClassifierFree
from moldiff.diffusion.guidance.temperature import Temperature
from moldiff.diffusion.guidance.valence import Valence
from moldiff.diffusion.sampler import Sampler
from moldiff.errors import ConfigError

__all__ = ["with_settings"]

_GUIDANCE = ("temperature", "early_temperature", "guidance", "valence")


def with_settings(
    denoiser: Denoiser, sampling: Mapping[str, Any], valences: Any = None
) -> tuple[Denoiser, Sampler]:
    """Return the denoiser and the sampler that the ``sampling`` of a model stands for.

    Parameters
    ----------
    denoiser, sampling:
        Of the model.
    valences:
        What `Valence` allows, (a, c, v) of bool.  Only those who know the classes by name have
        it; without, the setting 'valence' is left out.

    Raises
    ------
    ConfigError
        If a setting is unknown or has an impossible value, the process cannot be sampled so, or
        there is guidance for a denoiser without conditions.
    """
    steps = dict(sampling)
    late, early, guidance, valence = (steps.pop(key, None) for key in _GUIDANCE)
    given = [("valence", valence), ("temperature", late)]
    given = [(what, value) for what, value in given if value is not None]
    if early is not None:
        by_field = early.values() if isinstance(early, Mapping) else [early]
        given += [("temperature", value) for value in by_field]
    for what, value in given:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"A {what} is a number, not {value!r}.", fix="Try 1.")
    if guidance is not None:
        denoiser = _guided(denoiser, guidance)
    sampler = Sampler.from_config(steps)
    sampler.check(denoiser.process)
    if late is not None or early is not None:
        denoiser = Temperature(denoiser, 1.0 if late is None else late, early)
    if valence and valences is not None:
        denoiser = Valence(denoiser, torch.as_tensor(valences), valence)
    return denoiser, sampler


def _guided(denoiser: Denoiser, weight: Any) -> Denoiser:
    """The denoiser of a condition, guided towards it; of none, as it is."""
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ConfigError(f"The guidance is a number, not {weight!r}.", fix="Try 2.")
    if not isinstance(denoiser, NetworkDenoiser) or not denoiser.network_conditions:
        raise ConfigError(
            "Guidance needs a model with conditions, and this one was trained without.",
            fix="Leave out 'guidance', or train with 'conditions: {properties: [...]}'.",
        )
    # Made in any case: it refuses impossible weights.
    guided = ClassifierFree(denoiser.given(None), denoiser, float(weight))
    return denoiser if denoiser.conditions is None else guided
