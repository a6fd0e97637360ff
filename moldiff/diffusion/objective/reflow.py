"""Reflow: a regression on pairs of noise and the teacher's sample from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.coupling import Independent
from moldiff.diffusion.denoiser import Denoiser, NetworkDenoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.objective.base import TAUGHT, Loss, Objective, Sampled
from moldiff.diffusion.objective.denoising import Denoising
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["TEACHING", "Reflow"]

TEACHING: Mapping[str, Any] = {
    "steps": 25,
    "stepper": {"name": "ancestral", "eta": 0.0, "churn": 1.0},
    "grid": {"name": "power", "exponent": 1.5},
    "temperature": 0.7,
}
"""Default sampling settings of a teacher."""


@register("objective", "reflow", cites={"liu2023": "algorithm 1"}, context=TAUGHT)
@dataclass(frozen=True)
class Reflow(Objective):
    """Predict a teacher's sample on the straight path to the noise it was generated from.

    The teacher's flow maps each x_1 to one x_0, so paths between its pairs cross less often
    than paths between random noise and data: the new flow's velocity varies less along a path,
    and fewer steps suffice.  Coordinates keep the teacher's noise; classes are trained on those
    that the teacher's kernel drew.  Without a teacher, or on pairs from elsewhere, this is the
    first rectified flow.

    Source: Liu et al., "Flow Straight and Fast" (2023), algorithm 1.

    Parameters
    ----------
    teacher:
        Name or path of the model that generates the pairs.
    pairs:
        Number of pairs, which training reuses.
    teaching:
        Sampling settings of the teacher (steps, stepper, grid, temperature).
    objective:
        The regression on the pairs; its coupling applies to data without given noise.
    guide, sampled:
        The teacher's denoiser, and the function that prepares it for sampling.
    """

    teacher: str | None = None
    pairs: int = 20_000
    teaching: Mapping[str, Any] = field(default_factory=lambda: dict(TEACHING))
    objective: Denoising = field(default_factory=lambda: Denoising(coupling=Independent()))
    guide: Denoiser | None = field(default=None, kw_only=True, compare=False, repr=False)
    sampled: Sampled = field(default=with_settings, kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigError(f"Reflow needs pairs, not {self.pairs}.", fix="Use some thousands.")

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        return self.objective(trained, x_0, rng=rng, noise=noise)

    def pair(self, x_1: Batch, *, rng: torch.Generator) -> tuple[Batch, Batch]:
        """Return the teacher's sample from x_1, and the part of x_1 that it depends on.

        Raises
        ------
        ConfigError
            If there is no teacher, or its settings are wrong.
        """
        if self.guide is None:
            raise ConfigError("Reflow has no teacher.", fix="Name one: 'teacher: qm9'.")
        guide, sampler = self.sampled(self.guide, self.teaching)
        with torch.no_grad():
            x_0 = sampler.sample(guide, x_1, rng=rng)
        # The kernel's draws, not the classes at t = 1, determine the classes at t = 0.
        flows = {f: x_1[f] for f in guide.process.flows()}
        return x_0, Batch(flows, x_1.context)
