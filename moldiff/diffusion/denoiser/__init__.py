"""Denoisers, and the preconditions between a network's raw output and a prediction."""

from __future__ import annotations

from moldiff.diffusion.denoiser.denoiser import SURE, Denoiser, GaussianDenoiser, NetworkDenoiser

__all__ = ["SURE", "Denoiser", "GaussianDenoiser", "NetworkDenoiser"]
