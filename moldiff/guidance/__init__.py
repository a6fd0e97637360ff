"""Guidance: denoisers that hold a denoiser and change what it predicts."""

from __future__ import annotations

from moldiff.guidance.inpaint import Inpaint
from moldiff.guidance.temperature import Temperature

__all__ = ["Inpaint", "Temperature"]
