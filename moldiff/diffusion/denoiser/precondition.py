r"""Parametrisations: what the network predicts, as three coefficients.

The network F sees :math:`(c_{in} x_t, t)`, and the clean prediction is
:math:`\hat x_0 = c_{skip} x_t + c_{out} F`.  The loss
:math:`|F - (x_0 - c_{skip} x_t)/c_{out}|^2 = |\hat x_0 - x_0|^2 / c_{out}^2`
is then DDPM's L_simple, the flow-matching loss or the EDM loss, row by row:

=========  ==============================  =============================================
name       network predicts                source
=========  ==============================  =============================================
Clean      x_0                             Ramesh et al. 2022; MiDi, SemlaFlow
Noise      z (up to sign: score)           Ho et al. 2020, eq. 14; Song & Ermon 2019
Velocity   dx_t/dt                         Lipman et al. 2023; Liu et al. 2023
Karras     unit-variance target            Karras et al. 2022, table 1 and appendix B.6
Boundary   as Karras, but 0 at t_min       Song et al. 2023, appendix C
=========  ==============================  =============================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.process import Gaussian
from moldiff.diffusion.schedule import derivative
from moldiff.registry import register

Times = Float[Tensor, "b *sites"]

_FAINTEST = 5e-3  # smallest signal for which the noise is a usable target

__all__ = ["Boundary", "Clean", "Coefficients", "Karras", "Noise", "Precondition", "Velocity"]


@dataclass(frozen=True, eq=False)
class Coefficients:
    """c_skip (none), c_out (Å) and c_in (1/Å) at each time, (b,) or (b, sites)."""

    c_skip: Times
    c_out: Times
    c_in: Times


class Precondition(ABC):
    """How a network's raw output becomes a prediction of the clean coordinates."""

    def __call__(self, process: Gaussian, t: Times) -> Coefficients:
        """Return the coefficients of ``process``, whose scale must be a number, at times t."""
        # The data are assumed to have the process's scale as spread per axis, so every
        # formula below uses those units and only `c_out` and `c_in` carry Å.
        alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
        c_skip, c_out = self.table(process, alpha, sigma, t)
        size = (alpha**2 + sigma**2).sqrt()
        return Coefficients(c_skip, c_out * process.unit, 1 / (size * process.unit))

    @abstractmethod
    def table(self, process: Gaussian, alpha: Times, sigma: Times, t: Times) -> tuple[Times, Times]:
        """Return c_skip and c_out for data of unit spread, at each time."""


@register("precondition", "clean", cites={"ramesh2022": "section 2.2", "salimans2022": "section 4"})
@dataclass(frozen=True)
class Clean(Precondition):
    """F is x_0 itself, in units of the process's scale."""

    def table(self, process: Gaussian, alpha: Times, sigma: Times, t: Times) -> tuple[Times, Times]:
        return alpha * 0, alpha * 0 + 1


@register("precondition", "noise", cites={"ho2020": "eq. 14", "song2019": "eq. 5"})
@dataclass(frozen=True)
class Noise(Precondition):
    """F is the noise z.

    An error of F appears in x_0 multiplied by sigma/alpha, which diverges as alpha -> 0: Ho et
    al. end at alpha = 0.0064, and clip images.  Here alpha is clamped to at least ``_FAINTEST``,
    in training as in sampling, so that F is ``(x_t - _FAINTEST x_0) / sigma`` below it.
    """

    def table(self, process: Gaussian, alpha: Times, sigma: Times, t: Times) -> tuple[Times, Times]:
        alpha = alpha.clamp_min(_FAINTEST)
        return 1 / alpha, -sigma / alpha


@register("precondition", "velocity", cites={"lipman2023": "eq. 20-23", "liu2023": "eq. 1"})
@dataclass(frozen=True)
class Velocity(Precondition):
    """F is the velocity alpha' x_0 + sigma' z of the path."""

    def table(self, process: Gaussian, alpha: Times, sigma: Times, t: Times) -> tuple[Times, Times]:
        alpha_dot = derivative(process.schedule.alpha, t)
        sigma_dot = derivative(process.schedule.sigma, t)
        determinant = sigma_dot * alpha - alpha_dot * sigma
        return sigma_dot / determinant, -sigma / determinant


@register("precondition", "karras", cites={"karras2022": "table 1, appendix B.6"})
@dataclass(frozen=True)
class Karras(Precondition):
    """F has unit variance at every noise level; as sigma -> 0 the prediction becomes x_t."""

    def table(self, process: Gaussian, alpha: Times, sigma: Times, t: Times) -> tuple[Times, Times]:
        variance = alpha**2 + sigma**2
        return alpha / variance, sigma / variance.sqrt()


@register("precondition", "consistency", cites={"song2023": "appendix C"})
@dataclass(frozen=True)
class Boundary(Precondition):
    r"""As Karras, shifted so that the prediction at ``t_min`` is x_t itself, whatever F is.

    With :math:`\alpha' = \alpha/\alpha_{min}` and
    :math:`\sigma' = \sigma - \sigma_{min}\,\alpha/\alpha_{min}` in place of alpha and sigma:
    :math:`c_{skip} = 1` and :math:`c_{out} = 0` where t = t_min.  It is the boundary condition of
    consistency models; Song et al. (2023), appendix C, is the case alpha = 1, except that
    their c_out uses the unshifted sigma.
    """

    t_min: float = 2e-3

    def table(self, process: Gaussian, alpha: Times, sigma: Times, t: Times) -> tuple[Times, Times]:
        at_min = t.new_full((), self.t_min)
        signal = alpha / process.schedule.alpha(at_min)
        noise = sigma - process.schedule.sigma(at_min) * signal
        variance = signal**2 + noise**2
        return signal / variance, noise / variance.sqrt()
