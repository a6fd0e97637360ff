"""What samples a model: the denoiser and the sampler that its settings stand for.

The engine's `with_settings` takes a table of which classes may go together; what the classes of
a model are, chemistry knows.  Here the two meet, for all that samples: generation, teachers and
students in training, benchmarks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from moldiff.chem.valence import valence_table
from moldiff.chem.vocabulary import Vocabulary
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.sampler import Sampler
from moldiff.model import Model
from moldiff.registry import describe, has_name

__all__ = ["provenance", "sampled"]


def sampled(
    model: Model, denoiser: Denoiser, sampling: Mapping[str, Any]
) -> tuple[Denoiser, Sampler]:
    """Return a denoiser of the classes of ``model`` and its sampler, by ``sampling`` settings.

    Raises
    ------
    ConfigError
        As `moldiff.diffusion.guidance.with_settings`.
    """
    vocabulary = Vocabulary.from_dict(dict(model.vocabulary))
    return with_settings(denoiser, sampling, valence_table(vocabulary))


def provenance(sampling: Mapping[str, Any]) -> str:
    """Return sampling settings as JSON; parts that are objects by their settings.

    An object whose class is not registered is the qualified name of the class.
    """
    return json.dumps(sampling, sort_keys=True, default=_described)


def _described(part: object) -> Any:
    cls = type(part)
    if not has_name(cls):
        return f"{cls.__module__}.{cls.__qualname__}"
    return _finite(describe(part))


def _finite(settings: Any) -> Any:
    """Settings without the infinite ones: those limit nothing, and JSON has no word for them."""
    if not isinstance(settings, dict):
        return settings
    return {key: _finite(value) for key, value in settings.items() if value != math.inf}
