r"""Geodesic interpolation between data and uniform noise on a compact manifold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.process.base import Flow, Guess, State, Times
from moldiff.diffusion.schedule import Schedule
from moldiff.diffusion.space import Manifold, expand
from moldiff.registry import register

__all__ = ["Geodesic"]

_TINY = 1e-12  # of the way: practically zero, but safe to divide by


@register("process", "geodesic", cites={"chen2024": "section 3.2", "bose2024": "section 3"})
@dataclass(frozen=True)
class Geodesic(Flow):
    r"""Rotations or angles, interpolated to uniform noise.

    :math:`x_t = \mathrm{mix}(x_0, z, w_t)`, with z uniform and w(t) the schedule's sigma, shifted
    and scaled to run from 0 to 1; t itself for the rectified schedule.  Unlike a Gaussian process,
    it has no kernel q(x_t | x_s) that is independent of x_0: see :meth:`forward`.

    Source: Chen & Lipman, "Flow Matching on General Geometries" (2024), section 3.2; Bose et al.,
    "SE(3)-Stochastic Flow Matching" (2024), section 3, for rotations.

    Parameters
    ----------
    schedule:
        Only the shape of its sigma(t) matters.
    space:
        :class:`~moldiff.diffusion.space.SO3` or :class:`~moldiff.diffusion.space.Torus`.
    """

    schedule: Schedule
    space: Manifold

    driven_by: ClassVar[Literal["eta", "churn"]] = "churn"

    def __post_init__(self) -> None:
        if not isinstance(self.space, Manifold):
            raise ValueError("its space must be one with uniform noise: so3 or torus")

    def way(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Return w(t), the fraction of the way from the data to the noise at which x_t lies."""
        first, last = self.schedule.sigma(t.new_tensor([0.0, 1.0]))
        return ((self.schedule.sigma(t) - first) / (last - first)).clamp(0, 1)

    def half_log_snr(self, t: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        w = self.way(t)
        return torch.log((1 - w) / w)

    def forward(
        self, x_s: State, s: Times, t: Times, *, rng: torch.Generator, noise: State | None = None
    ) -> State:
        """Move from x_s to x_t on the geodesic that ends at ``noise``.

        With the noise that produced x_s, this continues the same path exactly; from s = 0, a
        fresh draw gives q(x_t | x_0) exactly.  From s > 0, a fresh draw bends the path towards a
        new end, which does not give q(x_t | x_0): no kernel can without knowing x_0.
        """
        if noise is None:
            noise = self.prior(tuple(x_s.shape), rng=rng, device=x_s.device)
        w_s, w_t = self.way(s), self.way(t)
        return self.space.mix(x_s, noise, expand((w_t - w_s) / (1 - w_s).clamp_min(_TINY), x_s))

    def reverse(
        self, x_t: State, x0_hat: Guess, t: Times, s: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Move to the fraction w_s of the way from the prediction to the noise implied by x_t.

        At eta = 0 this is Euler's step of the flow.  For eta > 0 the noise itself moves by the
        fraction eta towards a fresh draw, which leaves it uniform: given the true clean value,
        x_s has the right distribution for every eta, and at eta = 1 is independent of x_t.  A
        prediction that averages several clean values is exact only at eta = 0, with many steps.
        """
        w_t, w_s = self.way(t).clamp_min(_TINY), self.way(s)
        if eta <= 0:
            return self.space.mix(x0_hat, x_t, expand(w_s / w_t, x_t))
        end = self.space.mix(x0_hat, x_t, expand(1 / w_t, x_t))
        fresh = self.prior(tuple(x_t.shape), rng=rng, device=x_t.device)
        return self.space.mix(x0_hat, self.space.mix(end, fresh, eta), expand(w_s, x_t))

    def correct(
        self, x_t: State, x0_hat: Guess, t: Times, *, eta: float, rng: torch.Generator
    ) -> State:
        """Move the noise implied by x_t by the fraction eta towards a fresh draw."""
        return self.reverse(x_t, x0_hat, t, t, eta=eta, rng=rng) if eta > 0 else x_t

    def errors(self, x0_hat: Guess, x_0: State) -> Float[Tensor, "b ..."]:
        """Return the squared angle of each rotation or torsion in rad^2, (b, ...)."""
        angles = self.space.angle(x0_hat, x_0)
        return angles.reshape(len(x_0), -1).square()

    def mode(self, x0_hat: Guess) -> State:
        return x0_hat
