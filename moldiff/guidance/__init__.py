"""Guidance: denoisers that hold a denoiser and change what it predicts."""

from __future__ import annotations

from moldiff.guidance.inpaint import Inpaint
from moldiff.guidance.settings import with_settings
from moldiff.guidance.temperature import Temperature
from moldiff.guidance.watched import Watched

__all__ = ["Inpaint", "Temperature", "Watched", "with_settings"]
