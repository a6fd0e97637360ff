r"""Consistency: predictions along one trajectory agree, down to its known end.

*Coordinates.*  With :math:`t_0 = 0 < t_1 < \dots < t_N = 1` and x at :math:`t = t_i, s = t_{i-1}`
on the same trajectory, the prediction at t regresses on the prediction at s (without gradient),
and at s = 0 on the value x_s itself:

.. math:: \frac{d(\hat x_0(x_t, t),\ \mathrm{sg}\,\hat x_0(x_s, s))}{N (\omega_t - \omega_s)},
          \qquad d = \sqrt{|a - b|^2 + c^2} - c, \qquad \omega = \frac{\sigma}{\alpha + \sigma}

The trajectory follows the probability-flow equation, by one step of the teacher
(distillation) or by keeping x_0 and z (training, exact as N grows).  d is the
pseudo-Huber metric of Song & Dhariwal (2024, section 3.3), and the teacher of the target is the
network itself without averaging (their section 3.2).  The paper's weight 1/(sigma_t - sigma_s)
is written in omega, which is bounded where sigma/alpha is not, and has the mean 1.

*Classes* jump at random, so no single end belongs to x_t: what agrees along all trajectories is
the posterior p(x_0 | x_t), the mean of p(x_0 | x_s) over x_s given x_t.  It is learned directly,
from the teacher's prediction (Kullback-Leibler divergence) or from x_0 (cross-entropy).  Learning
it from the network's own prediction at s has the same fixed point, but then a prediction that
ignores x_t is penalised only at s = 0, which is drawn too rarely to prevent this collapse.
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
    own_prediction,
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

__all__ = ["Consistency"]

_EARLIEST = 1e-4  # networks are evaluated from here on: at t = 0 some coefficients diverge
_LATEST = 1 - 1e-5


@register(
    "objective",
    "consistency",
    cites={"song2023": "algorithms 2-3", "songdhariwal2024": "sections 3.2-3.5"},
    context=("guide",),
)
@dataclass(frozen=True)
class Consistency(Objective):
    """Match the network's own prediction at an earlier time of the same trajectory.

    Source: Song et al., "Consistency Models" (2023), algorithms 2 and 3; Song & Dhariwal,
    "Improved Techniques for Training Consistency Models" (2024), sections 3.2-3.5.

    Parameters
    ----------
    teacher:
        Name or path of the model whose steps are distilled; None trains from data alone.
    levels:
        N.  Start with few: all higher levels learn the error of a lower one.  To refine, restart
        from the trained model (``init``) with more: Song & Dhariwal (section 3.4) double N.
    rho:
        t_i = (i / N)^rho; above 1, denser near the data.
    times:
        Distribution of the noise level, rounded up to the next t_i (Song & Dhariwal, section 3.5,
        for ``logit_normal``).
    coupling:
        How noise coordinates are paired with data coordinates.
    weights:
        Weight of each field's loss.
    self_condition:
        Fraction of steps in which the denoiser reads its own first prediction.
    huber:
        c per coordinate, in units of the process's scale (Song & Dhariwal: 0.00054 for data of
        spread 0.5; here the distance is nearly squared if neighbouring predictions differ by less
        than a tenth of the spread, because the end of x_t varies with the classes drawn on the
        way, and only its mean can be learned).
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
        x_0 = trained.encoded(x_0)
        times = self.neighbours(x_0.graphs, rng=rng)
        s, t = (batch_times(x_0, time.to(x_0.device)) for time in times)
        noise = coupled(trained.process, x_0, self.coupling, noise, rng=rng)
        x_s, x_t, teacher_hat = self.on_one_trajectory(trained.process, x_0, s, t, noise, rng=rng)
        previous = own_prediction(trained, x_t, t, self.self_condition, rng=rng)
        with torch.no_grad():
            target = trained(x_s, _network_times(s, t), previous)
        prediction = trained(x_t, t, previous)
        parts: dict[str, Tensor] = {}
        for name, process in trained.process.sized(x_0).processes.items():
            predicted = prediction[name]
            if isinstance(process, Flow):
                parts[name] = self._coordinates(
                    process, predicted, target[name], x_s[name], (s, t), name
                )
            elif teacher_hat is None:
                parts[name] = process.loss(predicted, x_0[name], _noised_mask(t, name)).mean()
            else:
                parts[name] = _divergence(predicted, teacher_hat[name], _noised_mask(t, name))
        return weighed(parts, self.weights)

    def neighbours(
        self, b: int, *, rng: torch.Generator
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """Draw b neighbouring times s < t, each (b,), of the ladder."""
        times = self.times.sample(b, rng=rng)
        ladder = torch.linspace(0, 1, self.levels + 1, device=times.device) ** self.rho
        upper = torch.bucketize(times, ladder).clamp(1, self.levels)
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
        """Return x_s, x_t, and the teacher's prediction at t.

        The teacher steps from t to s; without a teacher, both share the same noise.
        """
        zero = map_times(t, torch.zeros_like)
        if self.guide is not None:
            x_t = process.forward(x_0, zero, t, rng=rng, noise=noise)
            with torch.no_grad():
                x0_hat = self.guide(x_t, t)
            return process.reverse(x_t, x0_hat, t, s, eta=0.0, churn=0.0, rng=rng), x_t, x0_hat
        x_s = process.forward(x_0, zero, s, rng=rng, noise=noise)
        x_t = process.forward(x_s, s, t, rng=rng)  # classes continue to jump from x_s
        flows = process.only(process.flows()).forward(x_0, zero, t, rng=rng, noise=noise)
        return x_s, x_t.replace(**flows), None

    def _coordinates(
        self,
        process: Flow,
        predicted: Tensor,
        target: Tensor,
        x_s: Tensor,
        times: tuple[Time, Time],
        field: str,
    ) -> Tensor:
        """Weighted pseudo-Huber distance, dimensionless, scalar."""
        s, t = (graph_times(time) for time in times)
        target = torch.where(expand(s, x_s) == 0, x_s, target)
        size = process.unit if isinstance(process, Gaussian) else 1.0
        square = process.loss(predicted, target, _noised_mask(times[1], field))
        distance = (square / size**2 + self.huber**2).sqrt() - self.huber
        # Rounding may turn alpha(1) = 0 into a negative number, which has no logarithm.
        omega_t, omega_s = (
            torch.sigmoid(-process.half_log_snr(time.clamp_max(_LATEST))) for time in (t, s)
        )
        return (distance / (self.levels * (omega_t - omega_s))).mean()


def _network_times(s: Time, t: Time) -> Time:
    """Times s at which a network can be evaluated; sites that are clean at t stay clean."""
    if not isinstance(s, SiteTimes) or not isinstance(t, SiteTimes):
        return map_times(s, lambda time: time.clamp_min(_EARLIEST))
    sites = {
        scope: time.clamp_min(_EARLIEST).masked_fill(t.sites[scope] <= 0, 0.0)
        for scope, time in s.sites.items()
    }
    return SiteTimes(s.graph.clamp_min(_EARLIEST), sites)


def _noised_mask(t: Time, field: str) -> Tensor | None:
    """1 for noised sites and 0 for clean ones, (b, sites); None: all are noised."""
    times = field_times(t, field)
    return None if times.ndim == 1 else (times > 0).float()


def _divergence(predicted: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """Kullback-Leibler divergence in nats per site of logits (b, ..., k) from the target's."""
    p = torch.softmax(target, -1)
    divergence = F.kl_div(torch.log_softmax(predicted, -1), p, reduction="none").sum(-1)
    return (
        divergence.mean() if mask is None else (divergence * mask).sum() / mask.sum().clamp_min(1)
    )
