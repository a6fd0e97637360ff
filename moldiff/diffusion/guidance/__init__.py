"""Guidance: denoisers that wrap a denoiser and change its predictions."""

from __future__ import annotations

from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.guidance.classifier_free import ClassifierFree
from moldiff.diffusion.guidance.condition import Condition
from moldiff.diffusion.guidance.keep import Keep
from moldiff.diffusion.guidance.noise_scale import NoiseScale
from moldiff.diffusion.guidance.pace import Pace
from moldiff.diffusion.guidance.restrict import Restrict, one_of
from moldiff.diffusion.guidance.settings import SHORT, guidances, laid_over, with_settings
from moldiff.diffusion.guidance.surroundings import Surrounded, Surroundings
from moldiff.diffusion.guidance.temperature import Temperature
from moldiff.diffusion.guidance.valence import Valence
from moldiff.diffusion.guidance.watched import Watched

__all__ = [
    "SHORT",
    "ClassifierFree",
    "Condition",
    "Guidance",
    "Keep",
    "NoiseScale",
    "Pace",
    "Restrict",
    "Surrounded",
    "Surroundings",
    "Temperature",
    "Valence",
    "Watched",
    "guidances",
    "laid_over",
    "one_of",
    "with_settings",
]
