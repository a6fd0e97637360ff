"""Guidance: a denoiser that wraps another denoiser and changes its predictions.

Guidances are registered by name.  A list of them in the sampling settings wraps the model's
denoiser, the first innermost.  Its registration names the arguments that the caller supplies:
the denoiser, and what the domain knows (``allowed``, ``conditions``).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any

from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product

__all__ = ["Guidance"]


class Guidance(Denoiser, ABC):
    """A denoiser around ``denoiser``."""

    denoiser: Denoiser

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoiser inside."""
        return self.denoiser.process

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.denoiser.encode(context)
