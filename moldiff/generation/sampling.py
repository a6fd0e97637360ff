"""The guided denoiser and the sampler that a model's sampling settings describe."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.sampler import Sampler
from moldiff.domain.molecules import Molecules
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.registry import describe, has_name

__all__ = ["molecules_of", "provenance", "sampled"]


def molecules_of(model: Model) -> Molecules:
    """Return the domain of a model of molecules.

    Raises
    ------
    ConfigError
        If the model has another domain, or is a codec.
    """
    if not isinstance(model.domain, Molecules) or model.process is None:
        what = "a codec" if model.is_codec else f"of {model.domain.noun}"
        raise ConfigError(
            f"This model is {what}, and cannot generate molecules.",
            fix="Use a model of molecules, e.g. moldiff.load().",
        )
    return model.domain


def sampled(
    model: Model, denoiser: Denoiser, sampling: Mapping[str, Any]
) -> tuple[Denoiser, Sampler]:
    """Return the guided denoiser and the sampler that ``sampling`` settings describe.

    Guidances receive the knowledge of the model's domain.

    Raises
    ------
    ConfigError
        As `moldiff.diffusion.guidance.with_settings`.
    """
    return with_settings(denoiser, sampling, model.domain.knowledge())


def provenance(sampling: Mapping[str, Any]) -> str:
    """Return sampling settings as JSON, with objects given by their settings.

    An object of an unregistered class is given by the qualified name of the class.
    """
    return json.dumps(sampling, sort_keys=True, default=_described)


def _described(part: object) -> Any:
    cls = type(part)
    if not has_name(cls):
        return f"{cls.__module__}.{cls.__qualname__}"
    return _finite(describe(part))


def _finite(settings: Any) -> Any:
    """The settings without infinite ones, which limit nothing and which JSON cannot express."""
    if not isinstance(settings, dict):
        return settings
    return {key: _finite(value) for key, value in settings.items() if value != math.inf}
