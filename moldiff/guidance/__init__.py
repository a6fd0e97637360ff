"""Guidance: denoisers that hold a denoiser and change what it predicts."""

from __future__ import annotations

from moldiff.guidance.classifier_free import ClassifierFree
from moldiff.guidance.condition import Condition
from moldiff.guidance.inpaint import Inpaint
from moldiff.guidance.settings import with_settings
from moldiff.guidance.temperature import Temperature
from moldiff.guidance.valence import Valence
from moldiff.guidance.watched import Watched

__all__ = [
    "ClassifierFree",
    "Condition",
    "Inpaint",
    "Temperature",
    "Valence",
    "Watched",
    "with_settings",
]
