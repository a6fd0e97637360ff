"""Steppers that follow the reversed process, of first and second order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from moldiff.configuration import Range, Share
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Flow, Product
from moldiff.diffusion.sampler.base import State, Stepper, full, predict, reverse
from moldiff.diffusion.schedule import inverse
from moldiff.registry import register

__all__ = ["Ancestral", "Heun", "Midpoint", "Multistep"]

_LONGEST = 20.0  # longer steps in half log-SNR count as infinite
_LEAP = math.log(10.0)  # steps in half log-SNR too long for Heun's rule: the first, from alpha = 0


@register("stepper", "ancestral", cites={"ho2020": "algorithm 2", "song2021ddim": "eq. 12"})
@dataclass(frozen=True)
class Ancestral(Stepper):
    """One reverse step per evaluation; eta from 0 (deterministic) to 1 (DDPM).

    ``eta`` applies to times up to ``below``; above it the step is deterministic.
    ``churn`` from 0 to 1 sets how far classes are redrawn (see :mod:`moldiff.diffusion.process`).
    """

    eta: Share = 0.0
    below: Share = 1.0
    churn: Share = 0.0

    @property
    def stochastic(self) -> bool:
        return self.eta > 0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x0_hat = predict(denoiser, state.x, state.t, state.prediction)
        eta = self.eta if state.t <= self.below else 0.0
        times = (state.t, s)
        x = reverse(denoiser, state.x, x0_hat, times, eta=eta, churn=self.churn, rng=rng)
        return x, x0_hat


@register("stepper", "midpoint", cites={"karras2022": "appendix D.2"})
@dataclass(frozen=True)
class Midpoint(Stepper):
    """Second-order step, deterministic in the coordinates; the last, to t = 0, is first-order."""

    evaluations: ClassVar[int] = 2
    churn: Share = 0.0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x0_hat = predict(denoiser, state.x, state.t, state.prediction)
        if s > 0:
            middle = 0.5 * (state.t + s)
            times = (state.t, middle)
            x_m = reverse(denoiser, state.x, x0_hat, times, churn=self.churn, rng=rng)
            x0_hat = predict(denoiser, x_m, middle, x0_hat)
        x = reverse(denoiser, state.x, x0_hat, (state.t, s), churn=self.churn, rng=rng)
        return x, x0_hat


def _mixed(
    process: Product, a: Batch, b: Batch, weight: Callable[[Flow], float]
) -> dict[str, torch.Tensor]:
    """Go from prediction a towards b by ``weight`` in every field of coordinates."""
    return {f: p.space.mix(a[f], b[f], weight(p)) for f, p in process.flows().items()}


def _half_log_snr(process: Flow, *times: float) -> list[float]:
    return process.half_log_snr(torch.tensor(times, dtype=torch.float64)).tolist()


@register("stepper", "heun", cites={"karras2022": "algorithm 2"})
@dataclass(frozen=True)
class Heun(Stepper):
    r"""Second-order step with predictions at both of its ends, and optional churn.

    Heun's rule in :math:`\tilde\sigma = \sigma/\alpha` is the deterministic step with the two
    predictions mixed by :math:`w = \tilde\sigma_t / 2\tilde\sigma_s`.  Before it, noise is added
    up to :math:`(1 + \gamma)\,\tilde\sigma_t`, :math:`\gamma = \min(S_{churn}/N, \sqrt 2 - 1)`,
    where :math:`S_{tmin} \le \tilde\sigma_t \le S_{tmax}`.  Classes are drawn once per step,
    from the first prediction.  Source: Karras et al. (2022), algorithm 2.

    Parameters
    ----------
    s_churn, s_tmin, s_tmax, s_noise:
        As in the paper, with sigma in units of the scale of the first field of coordinates.
    churn:
        Sets how far classes are redrawn.
    """

    evaluations: ClassVar[int] = 2
    s_churn: Annotated[float, Range(0)] = 0.0
    s_tmin: Annotated[float, Range(0)] = 0.0
    s_tmax: Annotated[float, Range(0)] = math.inf
    s_noise: Annotated[float, Range(0)] = 1.0
    churn: Share = 0.0

    @property
    def stochastic(self) -> bool:
        return self.s_churn > 0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        process = denoiser.process
        x_t, t = self._add_noise(process, state, rng)
        x0_hat = predict(denoiser, x_t, t, state.prediction)
        x_s = reverse(denoiser, x_t, x0_hat, (t, s), churn=self.churn, rng=rng)
        if s <= 0:
            return x_s, x0_hat
        second = predict(denoiser, x_s, s, x0_hat)
        mixed = _mixed(process, x0_hat, second, lambda flow: self._weight(flow, t, s))
        coordinates = process.only(mixed)
        corrected = coordinates.reverse(
            x_t,
            x0_hat.replace(**mixed),
            full(x_t, t),
            full(x_t, s),
            eta=0.0,
            churn=0.0,
            rng=rng,
        )
        return x_s.replace(**corrected), second

    @staticmethod
    def _weight(process: Flow, t: float, s: float) -> float:
        """Half the ratio of the noise levels; for leaps, the trapezium rule in 1 / sigma."""
        at_t, at_s = _half_log_snr(process, t, s)
        return 0.5 * math.exp(at_s - at_t) if at_s - at_t < _LEAP else 0.5

    def _add_noise(
        self, process: Product, state: State, rng: torch.Generator
    ) -> tuple[Batch, float]:
        """Return the batch at the raised noise level, and its time."""
        flow = next(iter(process.flows().values()), None)
        gamma = min(self.s_churn / state.steps, 2**0.5 - 1)
        if flow is None or gamma <= 0:
            return state.x, state.t
        (level,) = _half_log_snr(flow, state.t)
        if not self.s_tmin <= math.exp(min(-level, 700.0)) <= self.s_tmax:
            return state.x, state.t
        target = torch.tensor(level - math.log1p(gamma), dtype=torch.float64)
        t = float(inverse(flow.half_log_snr, target))
        if t <= state.t:  # noise levels end at t = 1
            return state.x, state.t
        noise = process.noise_like(state.x, rng=rng)
        noise = noise.replace(**{f: self.s_noise * noise[f] for f in process.gaussian()})
        before, after = full(state.x, state.t), full(state.x, t)
        return process.forward(state.x, before, after, rng=rng, noise=noise), t


@register("stepper", "multistep", cites={"lu2022": "algorithm 2"})
@dataclass(frozen=True)
class Multistep(Stepper):
    """Second-order step from the last two predictions, deterministic in the coordinates."""

    churn: Share = 0.0

    def step(
        self, denoiser: Denoiser, state: State, s: float, *, rng: torch.Generator
    ) -> tuple[Batch, Batch]:
        x0_hat = extrapolated = predict(denoiser, state.x, state.t, state.prediction)
        before, t = state.made_at, state.t
        if state.prediction is not None and before is not None and s > 0:
            mixed = _mixed(
                denoiser.process,
                state.prediction,
                x0_hat,
                lambda flow: self._weight(flow, before, t, s),
            )
            extrapolated = x0_hat.replace(**mixed)
        x = reverse(denoiser, state.x, extrapolated, (t, s), churn=self.churn, rng=rng)
        return x, x0_hat

    @staticmethod
    def _weight(process: Flow, before: float, t: float, s: float) -> float:
        """1 + h / (2 h_before) with h the steps in half log-SNR; 1 if a step is infinite."""
        at_before, at_t, at_s = _half_log_snr(process, before, t, s)
        h_before, h = at_t - at_before, at_s - at_t
        finite = 0 < h_before < _LONGEST and 0 < h < _LONGEST
        return 1 + h / (2 * h_before) if finite else 1.0
