"""What samples a model: the denoiser and the sampler that its settings stand for.

The engine's `with_settings` takes a table of which classes may go together; what the classes of
a model are, chemistry knows.  Here the two meet, for all that samples: generation, teachers and
students in training, benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moldiff.chem.valence import valence_table
from moldiff.chem.vocabulary import Vocabulary
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.sampler import Sampler
from moldiff.model import Model

__all__ = ["sampled"]


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
