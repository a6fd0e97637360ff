r"""The log-likelihood of data under a model: an exact flow, and a variational bound.

**Bound** (any product of Gaussian and jump processes).  The reverse chain
:math:`p(x_1) \prod p(x_s|x_t)` on a grid of times is a model of the data, and

.. math:: -\log p(x_0) \le KL(q(x_1|x_0) \| p(x_1)) + \sum E\, KL(q(x_s|x_t,x_0) \| p(x_s|x_t))
          + E[-\log p(x_0|x_{t_1})]

(Sohl-Dickstein et al. 2015, eq. 14; Ho et al. 2020, eq. 5).  Every KL is in closed form:
between normal distributions in the space's own dimension, 3(n-1) for a molecule without translation
(Hoogeboom et al. 2022), and between class probabilities (Austin et al. 2021, eq. 1).  Only x_t is
sampled.  The variance of p(x_s|x_t) is that of q(x_s|x_t,x_0) plus what the uncertainty of x_0 adds
for normal data of the process's scale (as Bao et al., "Analytic-DPM", 2022, theorem 1); others also
give a bound, a looser one.

**Flow** (Gaussian processes alone).  With the angle :math:`\varphi = \arctan(\sigma/\alpha)` and
:math:`y = x/\sqrt{\alpha^2+\sigma^2}` every schedule's probability-flow equation is

.. math:: dy/d\varphi = \cot\varphi\; y - \hat x_0(x, t) / \sin\varphi

and log p changes by the integral of its divergence, which random probes estimate (Song et al.
2021, eq. 39-40; Hutchinson 1990).

Both are densities of labelled graphs in their frame: in nats, with coordinates in Å.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Gaussian, Jump, Process, Product
from moldiff.diffusion.schedule import inverse
from moldiff.diffusion.space import Flat, expand
from moldiff.errors import ConfigError

__all__ = ["Bound", "elbo", "flow_log_likelihood"]

_NOISE_FLOOR = 1e-3  # lowest noise level of the chain, in units of the scale
_TINY = 1e-30


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound of log p(x_0), in nats per graph, and its terms.

    Attributes
    ----------
    terms:
        Field -> {"prior", "diffusion", "reconstruction"} -> nats, (b,), of the bound on -log p.
        The reconstruction of coordinates may be negative, because it is a density.
    """

    terms: Mapping[str, Mapping[str, Float[Tensor, " b"]]]

    @property
    def nats(self) -> Float[Tensor, " b"]:
        """The bound: minus the sum of all terms, (b,)."""
        return -torch.stack([v for field in self.terms.values() for v in field.values()]).sum(0)


def elbo(denoiser: Denoiser, x_0: Batch, *, steps: int = 256, rng: torch.Generator) -> Bound:
    """Return the variational lower bound of log p(x_0).

    Parameters
    ----------
    denoiser:
        The model; evaluated ``steps`` times, always without a previous prediction.
    x_0:
        Clean batch of b graphs; coordinates in Å.
    steps:
        Number of steps of the reverse chain; more make the bound tighter.
    rng:
        Draws the noise in x_t.

    Raises
    ------
    ConfigError
        If a process has no bound in closed form (rotations, angles), or ``steps`` is below 2.
    """
    process, context = denoiser.process.sized(x_0), _context(denoiser, x_0)
    parts = {f: _part(f, p) for f, p in process.processes.items()}
    if steps < 2:
        raise ConfigError(f"A bound cannot have {steps} step(s).", fix="Use at least 2.")
    times = _times(process, steps)
    zero = torch.zeros(x_0.graphs, device=x_0.device)
    terms = {f: {"prior": part.prior(x_0[f]), "diffusion": zero} for f, part in parts.items()}
    for s, t in zip([None, *times[:-1]], times, strict=True):
        drawn = {f: part.draw(x_0[f], zero + t, rng) for f, part in parts.items()}
        x_t = Batch(drawn, context)
        with torch.no_grad():  # the graph of all steps would fill the memory
            x0_hat = denoiser(x_t, zero + t)
        for f, part in parts.items():
            arguments = (x_0[f], x_t[f], x0_hat[f], zero + t)
            if s is None:
                terms[f]["reconstruction"] = part.last(*arguments)
            else:
                terms[f]["diffusion"] = terms[f]["diffusion"] + part.step(*arguments, zero + s)
    return Bound(terms)


def _context(denoiser: Denoiser, x_0: Batch) -> Mapping[str, Any]:
    """The encoded context; a part of a graph has no bound of its own (``ConfigError``)."""
    for entry, what in (("clean", "with clean sites"), ("allowed", "of which a part is known")):
        if entry in x_0.context:
            raise ConfigError(
                f"There is no likelihood of a batch {what}.", fix=f"Leave out '{entry}'."
            )
    with torch.no_grad():
        return denoiser.encode(x_0.context)


def _times(process: Product, steps: int) -> list[float]:
    """Rising times, the last 1: half of them equal steps of t, half of log(sigma / alpha)."""
    flow = next(iter(process.gaussian().values()), None)
    equal = steps if flow is None else steps // 2
    uniform = torch.linspace(0, 1, equal + 1, dtype=torch.float64)[1:]
    if flow is None:
        return uniform.tolist()
    levels = torch.linspace(
        -math.log(_NOISE_FLOOR), -4.0, steps - len(uniform), dtype=torch.float64
    )
    logarithmic = inverse(flow.half_log_snr, levels)
    return torch.cat([uniform, logarithmic]).clamp_min(1e-6).float().unique().tolist()


def _part(field: str, process: Process) -> _Coordinates | _Classes:
    if isinstance(process, Gaussian):
        return _Coordinates(process)
    if isinstance(process, Jump):
        return _Classes(process)
    raise ConfigError(
        f"There is no variational bound for '{field}'.",
        fix="It exists for Gaussian coordinates and for classes.",
    )


def _norm(x: Tensor) -> Float[Tensor, " b"]:
    return x.square().flatten(1).sum(1)


def _log_normal(x: Tensor, variance: Tensor, d: int) -> Tensor:
    """log N(0, variance) of x, (b, ...), in d dimensions."""
    return -0.5 * (d * torch.log(2 * math.pi * variance) + _norm(x) / variance)


@dataclass(frozen=True, eq=False)
class _Coordinates:
    process: Gaussian

    def _levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma^2 (Å^2) in double precision, in which small differences survive."""
        return self.process.schedule.alpha(t.double()), self.process.sigma(t.double()) ** 2

    def _posterior_variance(self, t: Tensor) -> Tensor:
        """Variance of x_0 given x_t per axis, for normal data of the process's scale."""
        alpha, variance = self._levels(t)
        return 1 / (alpha**2 / variance + 1 / self.process.unit**2)

    def draw(self, x_0: Tensor, t: Tensor, rng: torch.Generator) -> Tensor:
        """Draw q(x_t | x_0) from clean data, which do not even contain the noise sigma(0)."""
        alpha, sigma = self.process.schedule.alpha(t), self.process.sigma(t)
        noise = self.process.space.prior(tuple(x_0.shape), rng=rng, device=x_0.device)
        return expand(alpha, x_0) * x_0 + expand(sigma, x_0) * noise

    def prior(self, x_0: Tensor) -> Tensor:
        alpha, variance = self._levels(torch.ones(len(x_0), device=x_0.device))
        return (0.5 * alpha**2 * _norm(x_0) / variance).to(x_0.dtype)

    def step(self, x_0: Tensor, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor) -> Tensor:
        (alpha_t, var_t), (alpha_s, var_s) = self._levels(t), self._levels(s)
        added = (var_t - (alpha_t / alpha_s) ** 2 * var_s).clamp_min(_TINY)
        gain = alpha_s * added / var_t  # how far the mean of x_s moves with x_0
        variance_q = added * var_s / var_t
        variance_p = variance_q + gain**2 * self._posterior_variance(t)
        d, ratio = self.process.space.dimension(tuple(x_0.shape)), variance_q / variance_p
        error = gain**2 * _norm(x_0 - x0_hat) / variance_p
        return (0.5 * (d * (ratio - 1 - torch.log(ratio)) + error)).to(x_0.dtype)

    def last(self, x_0: Tensor, x_t: Tensor, x0_hat: Tensor, t: Tensor) -> Tensor:
        d = self.process.space.dimension(tuple(x_0.shape))
        return -_log_normal(x_0 - x0_hat, self._posterior_variance(t), d).to(x_0.dtype)


@dataclass(frozen=True, eq=False)
class _Classes:
    process: Jump

    def draw(self, x_0: Tensor, t: Tensor, rng: torch.Generator) -> Tensor:
        return self.process.forward(x_0, torch.zeros_like(t), t, rng=rng)

    def prior(self, x_0: Tensor) -> Tensor:
        pi = self.process.space.weights(x_0)
        alpha = self.process.schedule.alpha(torch.ones((), device=x_0.device)).clamp_min(0)
        alpha = torch.where(alpha < 1e-6, 0.0, alpha)  # cos(pi / 2) is not 0 in single precision
        one_hot = torch.nn.functional.one_hot(x_0, len(pi)).to(pi.dtype)
        return self._kl(alpha * one_hot + (1 - alpha) * pi, pi.expand_as(one_hot))

    def step(self, x_0: Tensor, x_t: Tensor, x0_hat: Tensor, t: Tensor, s: Tensor) -> Tensor:
        q = self.process.posterior(x_t, self._certain_logits(x_0), t, s)
        p = self.process.posterior(x_t, x0_hat, t, s)
        return self._kl(*(x / x.sum(-1, keepdim=True) for x in (q, p)))

    def last(self, x_0: Tensor, x_t: Tensor, x0_hat: Tensor, t: Tensor) -> Tensor:
        p = self.process.posterior(x_t, x0_hat, t, torch.zeros_like(t))
        likelihood = (p / p.sum(-1, keepdim=True)).gather(-1, x_0.unsqueeze(-1))
        return -likelihood.clamp_min(_TINY).log().reshape(len(x_0), -1).sum(1)

    def _certain_logits(self, x_0: Tensor) -> Tensor:
        return 200.0 * torch.nn.functional.one_hot(x_0, self.process.space.classes).float()

    @staticmethod
    def _kl(p: Tensor, q: Tensor) -> Tensor:
        terms = torch.special.xlogy(p, p) - torch.special.xlogy(p, q.clamp_min(_TINY))
        return terms.reshape(len(p), -1).sum(1)


def flow_log_likelihood(
    denoiser: Denoiser,
    x_0: Batch,
    *,
    steps: int = 64,
    probes: int = 1,
    rng: torch.Generator,
) -> Float[Tensor, " b"]:
    """Return log p(x_0), (b,), in nats, of the model that the probability flow defines.

    Parameters
    ----------
    denoiser:
        Must be differentiable; evaluated ``4 * steps`` times.
    x_0:
        Clean batch of coordinates, in Å.
    steps:
        Runge-Kutta steps, equal in the angle between signal and noise.
    probes, rng:
        Number of random vectors per graph that estimate the divergence, and what draws them.

    Raises
    ------
    ConfigError
        Unless the model has exactly one field, of a Gaussian process: classes have no flow.
    """
    process, context = denoiser.process.sized(x_0), _context(denoiser, x_0)
    if list(process.gaussian()) != list(process.processes) or len(process.processes) != 1:
        raise ConfigError(
            "The flow has a likelihood for one field of Gaussian coordinates only.",
            fix="Use the variational bound (elbo), which also covers classes.",
        )
    ((field, part),) = process.gaussian().items()
    schedule, x = part.schedule, x_0[field]
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    first, last = torch.atan2(schedule.sigma(ends), schedule.alpha(ends)).tolist()
    first = max(first, math.atan(_NOISE_FLOOR))
    angles = torch.linspace(first, last, 2 * steps + 1, dtype=torch.float64)
    times = inverse(part.half_log_snr, -angles.tan().log())
    sizes = (schedule.alpha(times) ** 2 + schedule.sigma(times) ** 2).sqrt()
    d, vectors = part.space.dimension(tuple(x.shape)), _probes(part.space, x, probes, rng)

    def velocity(k: int, y: Tensor) -> tuple[Tensor, Tensor]:
        """dy / dphi at the k-th angle, and its divergence, (b,)."""
        x0_hat, trace = _jacobian_trace(
            denoiser, Batch({field: sizes[k] * y}, context), times[k], vectors
        )
        sine = float(angles[k].sin())
        slope = (float(angles[k].cos()) * y - x0_hat) / sine
        return slope, (d * float(angles[k].cos()) - float(sizes[k]) * trace) / sine

    # The flow starts at alpha x_0, where the data are at the first angle.
    y, divergence = _runge_kutta(velocity, math.cos(first) * x, (last - first) / steps, steps)
    variance = torch.tensor((part.unit * math.sin(last)) ** 2, dtype=x.dtype, device=x.device)
    return _log_normal(y, variance, d) + divergence + d * math.log(math.cos(first))


def _probes(space: Flat, x: Tensor, count: int, rng: torch.Generator) -> list[Tensor]:
    """Directions in the space, of squared length d: exact where the Jacobian is isotropic."""
    vectors = [space.prior(tuple(x.shape), rng=rng, device=x.device) for _ in range(count)]
    d = space.dimension(tuple(x.shape))
    return [(v * expand((d / _norm(v)).sqrt(), v)).to(x.dtype) for v in vectors]


def _jacobian_trace(
    denoiser: Denoiser, batch: Batch, t: Tensor, probes: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return x0_hat, and the mean of v^T (d x0_hat / d x) v over the probes, (b,)."""
    with torch.inference_mode(False), torch.enable_grad():
        ((field, x),) = batch.items()
        x = x.detach().clone().requires_grad_()
        times = torch.full((len(x),), float(t), dtype=x.dtype, device=x.device)
        x0_hat = denoiser(batch.replace(**{field: x}), times)[field]
        traces = []
        for v in probes:
            (gradient,) = torch.autograd.grad(x0_hat, x, v.clone(), retain_graph=True)
            traces.append((v * gradient).flatten(1).sum(1))
    return x0_hat.detach(), torch.stack(traces).mean(0).detach()


def _runge_kutta(
    velocity: Callable[[int, Tensor], tuple[Tensor, Tensor]], y: Tensor, h: float, steps: int
) -> tuple[Tensor, Tensor]:
    """Integrate y and the divergence in ``steps`` of h; ``velocity`` counts half steps."""
    divergence = torch.zeros(len(y), dtype=y.dtype, device=y.device)
    for k in range(0, 2 * steps, 2):
        v_1, g_1 = velocity(k, y)
        v_2, g_2 = velocity(k + 1, y + 0.5 * h * v_1)
        v_3, g_3 = velocity(k + 1, y + 0.5 * h * v_2)
        v_4, g_4 = velocity(k + 2, y + h * v_3)
        y = y + h / 6 * (v_1 + 2 * v_2 + 2 * v_3 + v_4)
        divergence = divergence + h / 6 * (g_1 + 2 * g_2 + 2 * g_3 + g_4)
    return y, divergence
