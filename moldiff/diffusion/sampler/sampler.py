"""The sampler: a grid, a stepper, and the time loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch

from moldiff.configuration import Range, check_fields
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler.base import State, Stepper, full
from moldiff.diffusion.sampler.grids import Grid, Power
from moldiff.diffusion.sampler.steppers import Ancestral
from moldiff.errors import ConfigError
from moldiff.registry import configure, ready_made

__all__ = ["Sampler"]


@dataclass(frozen=True)
class Sampler:
    """A grid and a stepper.

    Parameters
    ----------
    steps:
        Number of steps; network evaluations are ``steps * stepper.evaluations`` at most.
    stepper, grid:
        The step, and the times of the steps.
    """

    steps: Annotated[int, Range(1)] = 50
    stepper: Stepper = Ancestral()
    grid: Grid = Power()

    def __post_init__(self) -> None:
        check_fields(self, "the sampler")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Sampler:
        """Build from ``{"steps": ..., "stepper": {...}, "grid": {...}}``.

        Raises
        ------
        ConfigError
            If a key or a class is unknown, or ``steps`` is below 1.
        """
        return configure(cls, config, where="the sampler")

    def check(self, process: Product) -> None:
        """Check that the stepper can reverse a process.

        Raises
        ------
        ConfigError
            With the reason, and the steppers that can.
        """
        reason = self.stepper.refusal(process)
        if reason is not None:
            steppers = ready_made("stepper")
            suitable = [
                name for name, stepper in steppers.items() if stepper.refusal(process) is None
            ]
            raise ConfigError(
                f"The model's process does not suit this stepper: {reason}.",
                fix=f"Steppers that suit it: {', '.join(suitable)}.",
            )

    def trajectory(
        self, denoiser: Denoiser, x_1: Batch, *, rng: torch.Generator, start: float = 1.0
    ) -> Iterator[State]:
        """Yield the state before the first step and after each; the last is the sample.

        This is the package's only time loop: progress bars, recordings and early stops consume
        it.  The sample is the most probable value of the last prediction.  With ``start`` below
        1, x_1 is a batch at that time, and the grid is scaled to start there.

        Raises
        ------
        ConfigError
            If the stepper cannot reverse the denoiser's process.
        """
        self.check(denoiser.process)
        x_1 = denoiser.encoded(x_1)
        times = (start * self.grid.times(self.steps)).tolist()
        state = State(x_1, None, times[0], steps=self.steps)
        yield state
        for step, s in enumerate(times[1:], start=1):
            x, prediction = self.stepper.step(denoiser, state, s, rng=rng)
            if s == 0:
                x = denoiser.process.keep_clean(
                    denoiser.process.mode(prediction), x, full(x, state.t)
                )
            state = State(x, prediction, s, step, state.t, self.steps)
            yield state

    def sample(
        self, denoiser: Denoiser, x_1: Batch, *, rng: torch.Generator, start: float = 1.0
    ) -> Batch:
        """Return the end of the trajectory."""
        state = None
        for state in self.trajectory(denoiser, x_1, rng=rng, start=start):  # noqa: B007
            pass
        assert state is not None
        return state.x
