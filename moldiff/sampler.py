r"""Samplers: from pure noise to data along a grid of times, with the only time loop.

A sampler is a grid and a stepper.  Steppers are written with the process's ``reverse``
and the spaces' ``mix`` alone, so each of them works on every field:

=============  =======================================================================
ancestral      reverse step with stochasticity eta: DDPM (1), DDIM / Euler (0)
midpoint       second order, two evaluations: the step from t to s uses the prediction
               at the middle (the family of Karras et al. 2022, appendix D.2)
multistep      second order, one evaluation: the prediction is extrapolated from the
               last two (Lu et al., DPM-Solver++(2M), 2022, algorithm 2)
langevin       ancestral predictor, Langevin corrector (Song et al. 2021, algorithm 5)
=============  =======================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from moldiff.batch import Batch
from moldiff.denoiser import Denoiser
from moldiff.errors import ConfigError, did_you_mean
from moldiff.process import Gaussian
from moldiff.registry import build, register
from moldiff.space import expand

__all__ = [
    "Ancestral",
    "Grid",
    "Langevin",
    "LogSpaced",
    "Midpoint",
    "Multistep",
    "Power",
    "Sampler",
    "State",
    "Stepper",
]


class Grid(ABC):
    """The times a sampler visits."""

    @abstractmethod
    def times(self, steps: int) -> Float64[Tensor, " steps_1"]:
        """Return steps + 1 falling times from 1 to 0."""


@register("grid", "power")
@dataclass(frozen=True)
class Power(Grid):
    """t = (1 - i/steps)^exponent: uniform for 1, denser near the data above."""

    exponent: float = 1.0

    def times(self, steps: int) -> Float64[Tensor, " steps_1"]:
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** self.exponent


@register("grid", "log")
@dataclass(frozen=True)
class LogSpaced(Grid):
    """Geometric in t from 1 to t_min, and then 0."""

    t_min: float = 0.01

    def times(self, steps: int) -> Float64[Tensor, " steps_1"]:
        exponents = torch.linspace(0, 1, steps, dtype=torch.float64)
        return torch.cat([self.t_min**exponents, torch.zeros(1, dtype=torch.float64)])


@dataclass(frozen=True, eq=False)
class State:
    """Where a trajectory stands.

    Attributes
    ----------
    x:
        The batch at time t; at t = 0 the sample.
    prediction:
        The last prediction of x_0, or None before the first step.
    t, step:
        Time, and number of steps done.
    made_at:
        The time at which ``prediction`` was made, or None before the first step.
    """

    x: Batch
    prediction: Batch | None
    t: float
    step: int = 0
    made_at: float | None = None


class Stepper(ABC):
    """One step of a sampler from time t to time s < t."""

    evaluations: ClassVar[int] = 1

    @abstractmethod
    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        """Return (x_s, the prediction of x_0 made at t)."""


def _full(batch: Batch, t: float) -> Float[Tensor, " b"]:
    return torch.full((batch.graphs,), t, device=batch.device, dtype=torch.float32)


@register("stepper", "ancestral")
@dataclass(frozen=True)
class Ancestral(Stepper):
    """One reverse step per evaluation; eta from 0 (deterministic) to 1 (DDPM).

    ``eta`` applies to times up to ``below``; above it the step is deterministic.
    ``churn`` from 0 to 1 is how far classes are redrawn (see :mod:`moldiff.process`).
    """

    eta: float = 0.0
    below: float = 1.0
    churn: float = 0.0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        t = _full(state.x, state.t)
        x0_hat = denoiser(state.x, t, state.prediction)
        eta = self.eta if state.t <= self.below else 0.0
        s_ = _full(state.x, s)
        x = denoiser.process.reverse(state.x, x0_hat, t, s_, eta=eta, churn=self.churn, rng=rng)
        return x, x0_hat


@register("stepper", "midpoint")
@dataclass(frozen=True)
class Midpoint(Stepper):
    """Second-order step, deterministic in the coordinates; the last, to t = 0, of first order."""

    evaluations: ClassVar[int] = 2
    churn: float = 0.0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        process, t = denoiser.process, _full(state.x, state.t)
        x0_hat = denoiser(state.x, t, state.prediction)
        if s > 0:
            middle = _full(state.x, 0.5 * (state.t + s))
            x_m = process.reverse(state.x, x0_hat, t, middle, eta=0.0, churn=self.churn, rng=rng)
            x0_hat = denoiser(x_m, middle, x0_hat)
        s_ = _full(state.x, s)
        x = process.reverse(state.x, x0_hat, t, s_, eta=0.0, churn=self.churn, rng=rng)
        return x, x0_hat


@register("stepper", "multistep")
@dataclass(frozen=True)
class Multistep(Stepper):
    """Second-order step from the last two predictions, deterministic in the coordinates."""

    churn: float = 0.0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        process, t = denoiser.process, _full(state.x, state.t)
        x0_hat = denoiser(state.x, t, state.prediction)
        used = x0_hat
        if state.prediction is not None and state.made_at is not None and s > 0:
            weights = {
                field: self._weight(part, state.made_at, state.t, s)
                for field, part in process.gaussian().items()
            }
            used = x0_hat.replace(
                **{
                    field: process[field].space.mix(state.prediction[field], x0_hat[field], w)
                    for field, w in weights.items()
                }
            )
        s_ = _full(state.x, s)
        x = process.reverse(state.x, used, t, s_, eta=0.0, churn=self.churn, rng=rng)
        return x, x0_hat

    @staticmethod
    def _weight(process: Gaussian, before: float, t: float, s: float) -> float:
        """1 + h / (2 h_before) with h the steps in half log-SNR; 1 where that is infinite."""
        times = torch.tensor([before, t, s], dtype=torch.float64)
        log_snr = torch.log(process.schedule.alpha(times) / process.schedule.sigma(times))
        h_before, h = (log_snr[1] - log_snr[0]).item(), (log_snr[2] - log_snr[1]).item()
        finite = 0 < h_before < 20 and 0 < h < 20
        return 1 + h / (2 * h_before) if finite else 1.0


@register("stepper", "langevin")
@dataclass(frozen=True)
class Langevin(Stepper):
    """An ancestral step, then ``corrections`` Langevin steps at the new noise level.

    The corrector moves coordinates along the score with step
    ``size`` * sigma^2; classes have no score and are left to the predictor.
    """

    corrections: int = 1
    size: float = 0.1
    churn: float = 0.0

    @property
    def evaluations(self) -> int:  # type: ignore[override]
        """Network evaluations per step."""
        return 1 + self.corrections

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x, x0_hat = Ancestral(eta=1.0, churn=self.churn).step(denoiser, state, s, rng=rng)
        if s <= 0:
            return x, x0_hat
        times = _full(x, s)
        for _ in range(self.corrections):
            x0_hat = denoiser(x, times, x0_hat)
            for field, part in denoiser.process.gaussian().items():
                alpha = expand(part.schedule.alpha(times), x[field])
                sigma = expand(part.sigma(times), x[field])
                drift = self.size * (alpha * x0_hat[field] - x[field])
                fresh = part.space.prior(tuple(x[field].shape), rng=rng, device=x.device)
                noise = (2 * self.size) ** 0.5 * sigma * fresh
                x = x.replace(**{field: x[field] + drift + noise})
        return x, x0_hat


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

    def trajectory(
        self, denoiser: Denoiser, x_1: Batch, *, rng: torch.Generator
    ) -> Iterator[State]:
        """Yield the state before the first step and after each; the last is the sample.

        The one time loop of the package: progress bars, recordings and early stops are
        consumers of it.  The sample is the most probable value of the last prediction.
        """
        times = self.grid.times(self.steps).tolist()
        state = State(x_1, None, times[0])
        yield state
        for step, s in enumerate(times[1:], start=1):
            x, prediction = self.stepper.step(denoiser, state, s, rng=rng)
            if s == 0:
                x = denoiser.process.mode(prediction)
            state = State(x, prediction, s, step, state.t)
            yield state

    def sample(self, denoiser: Denoiser, x_1: Batch, *, rng: torch.Generator) -> Batch:
        """Return the end of the trajectory."""
        state = None
        for state in self.trajectory(denoiser, x_1, rng=rng):  # noqa: B007
            pass
        assert state is not None
        return state.x
