r"""Consistency: predictions along one trajectory agree, down to its end, which is known.

*Coordinates.*  With :math:`t_0 = 0 < t_1 < \dots < t_N = 1` and x at :math:`t = t_i, s = t_{i-1}`
on the same trajectory, the prediction at t learns the prediction at s (without gradient), and at
s = 0 the value x_s itself:

.. math:: \frac{d(\hat x_0(x_t, t),\ \mathrm{sg}\,\hat x_0(x_s, s))}{N (\omega_t - \omega_s)},
          \qquad d = \sqrt{|a - b|^2 + c^2} - c, \qquad \omega = \frac{\sigma}{\alpha + \sigma}

The trajectory is the probability-flow equation, followed by one step of the
teacher (distillation) or by keeping x_0 and z (training, right as N grows).  d is the
pseudo-Huber metric of Song & Dhariwal (2024, section 3.3), and the teacher of the target is the
network itself without averaging (their section 3.2).  The paper's weight 1/(sigma_t - sigma_s)
is written in omega, which is bounded where sigma/alpha is not, and has the mean 1.

*Classes* jump at random, so there is no one end through x_t: what agrees along all trajectories
is the posterior p(x_0 | x_t), the mean of p(x_0 | x_s) over x_s given x_t.  It is learned at once,
from the teacher's prediction (Kullback-Leibler divergence) or from x_0 (cross-entropy).  Learning
it from one's own prediction at s has the same fixed point, but any prediction that ignores x_t
costs nothing but at s = 0, which is drawn too rarely to keep a network from going there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.coupling import Aligned, Coupling
from moldiff.diffusion.denoiser import Denoiser, NetworkDenoiser
from moldiff.diffusion.objective.base import (
    WEIGHTS,
    Loss,
    Objective,
    coupled,
    known_fields,
    weighed,
)
from moldiff.diffusion.objective.times import Kumaraswamy, Times
from moldiff.diffusion.process import Flow, Gaussian, Product
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import (
    SiteTimes,
    Time,
    batch_times,
    field_times,
    graph_times,
    map_times,
)
from moldiff.errors import ConfigError
from moldiff.registry import register
from moldiff.seeds import uniform

__all__ = ["Consistency"]

_EARLIEST = 1e-4  # no network is asked at t = 0, where some coefficients are not finite
_LATEST = 1 - 1e-5


@register(
    "objective",
    "consistency",
    cites={"song2023": "algorithms 2-3", "songdhariwal2024": "sections 3.2-3.5"},
    context=("guide",),
)
@dataclass(frozen=True)
class Consistency(Objective):
    """Agree with one's own prediction at an earlier time of the same trajectory.

    Source: Song et al., "Consistency Models" (2023), algorithms 2 and 3; Song & Dhariwal,
    "Improved Techniques for Training Consistency Models" (2024), sections 3.2-3.5.

    Parameters
    ----------
    teacher:
        Name or path of the model whose steps are distilled; None trains from data alone.
    levels:
        N.  Few at first: an error made on one is learned by all above it.  To refine it, start
        anew from the trained model (``init``) with more: Song & Dhariwal (section 3.4) double it.
    rho:
        t_i = (i / N)^rho, denser near the data above 1.
    times:
        Distribution of the noise level, rounded up to the next t_i (Song & Dhariwal, section 3.5,
        for ``logit_normal``).
    coupling:
        How noise coordinates are paired with data coordinates.
    weights:
        Weight of each field's loss.
    self_condition:
        Fraction of steps in which the denoiser reads a first prediction of its own.
    huber:
        c per coordinate, in units of the process's scale (Song & Dhariwal: 0.00054 for data of
        spread 0.5; here the distance is nearly squared where neighbouring predictions differ by
        less than a tenth of the spread, because the end of x_t varies with the classes drawn on
        the way, and it is the mean that can be learned).
    guide:
        The teacher's denoiser.
    """

    teacher: str | None = None
    levels: int = 12
    rho: float = 1.5
    times: Times = Kumaraswamy()
    coupling: Coupling = Aligned()
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    self_condition: float = 0.5
    huber: float = 0.1
    guide: Denoiser | None = field(default=None, kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        known_fields(self.weights)
        if self.levels < 1 or not (self.rho > 0 and self.huber > 0):
            raise ConfigError("Consistency needs 'levels' from 1, 'rho' and 'huber' above 0.")

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        x_0 = Batch(x_0, trained.encode(x_0.context))
        drawn = self.neighbours(x_0.graphs, rng=rng)
        s, t = (batch_times(x_0, time.to(x_0.device)) for time in drawn)
        noise = coupled(trained.process, x_0, self.coupling, noise, rng=rng)
        x_s, x_t, taught = self.on_one_trajectory(trained.process, x_0, s, t, noise, rng=rng)
        previous = None
        with torch.no_grad():
            if uniform((), rng=rng) < self.self_condition:
                previous = trained(x_t, t)
            target = trained(x_s, _asked(s, t), previous)
        prediction = trained(x_t, t, previous)
        parts: dict[str, Tensor] = {}
        for name, process in trained.process.processes.items():
            found = prediction[name]
            if isinstance(process, Flow):
                parts[name] = self._coordinates(
                    process, found, target[name], x_s[name], (s, t), name
                )
            elif taught is None:
                parts[name] = process.loss(found, x_0[name], _counted(t, name)).mean()
            else:
                parts[name] = _divergence(found, taught[name], _counted(t, name))
        return weighed(parts, self.weights)

    def neighbours(
        self, b: int, *, rng: torch.Generator
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Draw b neighbouring times s < t, each (b,), of the ladder."""
        drawn = self.times.sample(b, rng=rng)
        ladder = torch.linspace(0, 1, self.levels + 1, device=drawn.device) ** self.rho
        upper = torch.bucketize(drawn, ladder).clamp(1, self.levels)
        return ladder[upper - 1], ladder[upper]

    def on_one_trajectory(
        self,
        process: Product,
        x_0: Batch,
        s: Time,
        t: Time,
        noise: Batch,
        *,
        rng: torch.Generator,
    ) -> tuple[Batch, Batch, Batch | None]:
        """Return x_s, x_t, and what the teacher predicts at t.

        By the teacher's step from t to s, or without one by the same noise.
        """
        zero = map_times(t, torch.zeros_like)
        if self.guide is not None:
            x_t = process.forward(x_0, zero, t, rng=rng, noise=noise)
            with torch.no_grad():
                x0_hat = self.guide(x_t, t)
            return process.reverse(x_t, x0_hat, t, s, eta=0.0, churn=0.0, rng=rng), x_t, x0_hat
        x_s = process.forward(x_0, zero, s, rng=rng, noise=noise)
        x_t = process.forward(x_s, s, t, rng=rng)  # classes go on jumping from where they are
        straight = process.only(process.flows()).forward(x_0, zero, t, rng=rng, noise=noise)
        return x_s, x_t.replace(**straight), None

    def _coordinates(
        self,
        process: Flow,
        found: Tensor,
        target: Tensor,
        x_s: Tensor,
        times: tuple[Time, Time],
        field: str,
    ) -> Tensor:
        """Weighed pseudo-Huber distance, dimensionless, scalar."""
        s, t = (graph_times(time) for time in times)
        target = torch.where(expand(s, x_s) == 0, x_s, target)
        size = process.scale if isinstance(process, Gaussian) else 1.0
        square = process.loss(found, target, _counted(times[1], field))
        distance = (square / size**2 + self.huber**2).sqrt() - self.huber
        # Of alpha(1) = 0 rounding may leave a number below 0, which has no logarithm.
        omega_t, omega_s = (
            torch.sigmoid(-process.half_log_snr(time.clamp_max(_LATEST))) for time in (t, s)
        )
        return (distance / (self.levels * (omega_t - omega_s))).mean()


def _asked(s: Time, t: Time) -> Time:
    """Times s at which a network can be asked; sites that are clean at t stay so."""
    if not isinstance(s, SiteTimes) or not isinstance(t, SiteTimes):
        return map_times(s, lambda time: time.clamp_min(_EARLIEST))
    sites = {
        scope: time.clamp_min(_EARLIEST).masked_fill(t.sites[scope] <= 0, 0.0)
        for scope, time in s.sites.items()
    }
    return SiteTimes(s.graph.clamp_min(_EARLIEST), sites)


def _counted(t: Time, field: str) -> Tensor | None:
    """1 for the sites that are noised and 0 for clean ones, (b, sites); None: all are noised."""
    at = field_times(t, field)
    return None if at.ndim == 1 else (at > 0).float()


def _divergence(found: Tensor, target: Tensor, counted: Tensor | None) -> Tensor:
    """Kullback-Leibler divergence in nats per site of logits (b, ..., k) from the target's."""
    p = torch.softmax(target, -1)
    each = F.kl_div(torch.log_softmax(found, -1), p, reduction="none").sum(-1)
    return each.mean() if counted is None else (each * counted).sum() / counted.sum().clamp_min(1)
