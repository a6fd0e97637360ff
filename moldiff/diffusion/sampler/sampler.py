"""The sampler: a grid, a stepper, and the time loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler.base import State, Stepper, full
from moldiff.diffusion.sampler.grids import Grid, Power
from moldiff.diffusion.sampler.steppers import Ancestral
from moldiff.errors import ConfigError, did_you_mean
from moldiff.registry import build, names

__all__ = ["Sampler"]


@dataclass(frozen=True)
class Sampler:
    """A grid and a stepper.

    Parameters
    ----------
    steps:
        Number of steps; network evaluations are ``steps * stepper.evaluations`` at most.
    stepper, grid:
        How to step, and where.
    """

    steps: int = 50
    stepper: Stepper = Ancestral()
    grid: Grid = Power()

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"Cannot sample in {self.steps} steps.", fix="Use at least 1.")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Sampler:
        """Build from ``{"steps": ..., "stepper": {...}, "grid": {...}}``.

        Raises
        ------
        ConfigError
            If a key or a class is unknown, or there is not at least one step.
        """
        for key in config:
            if key not in ("steps", "stepper", "grid"):
                raise ConfigError(
                    f"The sampler has no setting '{key}'.",
                    fix=did_you_mean(str(key), ("steps", "stepper", "grid")),
                )
        steps = config.get("steps", 50)
        if not isinstance(steps, int):
            raise ConfigError(f"'steps' of the sampler must be a whole number, not {steps!r}.")
        return cls(
            steps,
            build("stepper", config.get("stepper", "ancestral")),
            build("grid", config.get("grid", "power")),
        )

    def check(self, process: Product) -> None:
        """Refuse a process the stepper cannot reverse.

        Raises
        ------
        ConfigError
            With the reason, and the steppers that can.
        """
        reason = self.stepper.refusal(process)
        if reason is not None:
            able = [n for n in names("stepper") if build("stepper", n).refusal(process) is None]
            raise ConfigError(
                f"The model's process does not go with this stepper: {reason}.",
                fix=f"Steppers that go with it: {', '.join(able)}.",
            )

    @property
    def stochastic(self) -> bool:
        """Whether fresh noise enters the coordinates."""
        return self.stepper.stochastic

    def trajectory(
        self, denoiser: Denoiser, x_1: Batch, *, rng: torch.Generator, start: float = 1.0
    ) -> Iterator[State]:
        """Yield the state before the first step and after each; the last is the sample.

        The one time loop of the package: progress bars, recordings and early stops are
        consumers of it.  The sample is the most probable value of the last prediction.
        A batch that is not noise but stands at time ``start`` is taken from there, on the grid
        shrunk to that time.

        Raises
        ------
        ConfigError
            If the stepper cannot reverse the denoiser's process.
        """
        self.check(denoiser.process)
        x_1 = Batch(x_1, denoiser.encode(x_1.context))
        times = (start * self.grid.times(self.steps)).tolist()
        state = State(x_1, None, times[0], steps=self.steps)
        yield state
        for step, s in enumerate(times[1:], start=1):
            x, prediction = self.stepper.step(denoiser, state, s, rng=rng)
            if s == 0:
                x = denoiser.process.kept(denoiser.process.mode(prediction), x, full(x, state.t))
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
