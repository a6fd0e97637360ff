"""The family of methods by name, without heavy imports."""

from __future__ import annotations

from moldiff.methods.table import METHODS, SAMPLERS, Method, SamplerChoice
from moldiff.methods.use import apply, changes, parse_guidance, parse_sampler, sampler_remarks

__all__ = [
    "METHODS",
    "SAMPLERS",
    "Method",
    "SamplerChoice",
    "apply",
    "changes",
    "parse_guidance",
    "parse_sampler",
    "sampler_remarks",
]
