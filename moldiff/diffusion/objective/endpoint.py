r"""Endpoint: predict the teacher's end point from the states that a few-step model visits.

A few-step model is evaluated at the times t_1 > t_2 > ... of its own short grid, at states with its
own errors, which noised molecules lack; and there it should predict one molecule, not the mean of
all molecules that could have been noised to x_t.  So the student generates the state (i steps of
its own sampler from noise), and the teacher the target, with many steps from that state:

.. math:: x_0 = T_{t_i \to 0}(x_{t_i}), \qquad
          L = |\hat x_0(x_{t_j}, t_j) - x_0|^2 / c_{out}^2 + \text{cross-entropies}, \quad j \ge i

For j > i the student continues to t_j with its own coordinates, but with the classes of x_0, noised
to t_j.  The states thus contain its errors of geometry, while the target remains their end point;
for j = i they also contain its errors in drawing classes.  The teacher starts at least the
student's last two steps before the end: nearer to the data even small steps cannot repair errors.

This is distillation onto the end of the teacher's trajectory (Luhman & Luhman 2021; Salimans & Ho
2022, whose target is two steps ahead), with labels of an expert at the learner's own states
(Ross et al., DAgger, 2011, algorithm 3.1).

The alternatives fail for molecules with classes.  A teacher that redraws classes at every step does
not map a noise x_1 to one molecule (on QM9, from equal coordinates x_1, two draws of the classes
end a median of 0.8 Å apart; 22 of 24 molecules became different ones).  Pairs (x_1, x_0), as in
reflow, and the agreement of distant times, as in consistency models, therefore leave a mean over
molecules to be learned.  From a state at t < 2/3 the end is nearly determined.  At t = 1 it is
open: there the wrapped objective on real data is the right one, and needs no teacher.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import SURE, Denoiser, NetworkDenoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.objective.base import TAUGHT, Loss, Objective, Sampled
from moldiff.diffusion.objective.denoising import Denoising
from moldiff.diffusion.objective.reflow import TEACHING
from moldiff.diffusion.sampler import Sampler, State
from moldiff.diffusion.sampler.base import full
from moldiff.errors import ConfigError
from moldiff.registry import register
from moldiff.seeds import integer, uniform

__all__ = ["Endpoint"]

_FEWEST = 3  # smallest number of teacher steps, even close to the data


@register(
    "objective",
    "endpoint",
    cites={
        "luhman2021": "the end as target",
        "salimans2022": "steps as one",
        "ross2011": "algorithm 3.1",
    },
    context=TAUGHT,
)
@dataclass(frozen=True)
class Endpoint(Objective):
    """Predict the teacher's end point from states that the student reached itself.

    Parameters
    ----------
    teacher:
        Name or path of the model that teaches; None: the student itself, with more steps.
    rollout:
        Sampling settings of the student, the same as in later use.
    teaching:
        Sampling settings of the teacher; from t it takes a fraction sqrt(t) of its steps.
    share:
        Fraction of training steps with this loss; the others use ``objective``.
    every:
        Train on all states from t_i on (the mean of their losses), not on one of them.  Worth it
        where the teacher's end costs more than a training step; memory grows with the states.
    objective:
        The regression: used as a whole for the other steps, and for its weights in these.
    guide, sampled:
        The teacher's denoiser (None: the student), and the function that prepares both for
        sampling.
    """

    teacher: str | None = None
    rollout: Mapping[str, Any] = field(default_factory=lambda: {**TEACHING, "steps": 4})
    teaching: Mapping[str, Any] = field(default_factory=lambda: dict(TEACHING))
    share: float = 0.75
    every: bool = False
    objective: Denoising = field(default_factory=Denoising)
    guide: Denoiser | None = field(default=None, kw_only=True, compare=False, repr=False)
    sampled: Sampled = field(default=with_settings, kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.rollout.get("steps", 50) < 2 or not 0 <= self.share <= 1:
            raise ConfigError(
                "The endpoint objective needs a rollout of 2 or more steps and a share from 0 to 1."
            )

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        if uniform((), rng=rng) >= self.share:
            return self.objective(trained, x_0, rng=rng, noise=noise)
        x_0 = trained.encoded(x_0)
        student, sampler = self.sampled(trained, self.rollout)
        last = sampler.steps - 1 if self.every else integer(1, sampler.steps - 1, rng=rng)
        first = integer(1, min(last, max(1, sampler.steps - 2)), rng=rng)
        with torch.no_grad():
            x_1 = student.process.start(x_0, rng=rng)
            states = sampler.trajectory(student, x_1, rng=rng)
            state = next(itertools.islice(states, first, None))
            end = self.taught(trained, state, rng=rng)
            visited = [state]
            for s in sampler.grid.times(sampler.steps).tolist()[first + 1 : last + 1]:
                visited.append(advanced(student, visited[-1], s, end, rng=rng))
        losses = [
            self.objective.regress(trained, one.x, full(x_0, one.t), one.prediction, end)
            for one in (visited if self.every else visited[-1:])
        ]
        totals, parts = zip(*losses, strict=True)
        mean = {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}
        return torch.stack(totals).mean(), mean

    def taught(self, denoiser: NetworkDenoiser, state: State, *, rng: torch.Generator) -> Batch:
        """Return the clean batch where the teacher ends from the state."""
        guide, sampler = self.sampled(self.guide or denoiser, self.teaching)
        steps = max(_FEWEST, math.ceil(sampler.steps * math.sqrt(state.t)))
        shorter: Sampler = replace(sampler, steps=steps)
        return shorter.sample(guide, state.x, rng=rng, start=state.t)


def advanced(
    student: Denoiser, state: State, s: float, end: Batch, *, rng: torch.Generator
) -> State:
    """Return the state at time s: the student's coordinates, and the classes of ``end``, noised."""
    process = student.process
    t, after = (full(end, time) for time in (state.t, s))
    prediction = student(state.x, t, state.prediction)
    classes = process.categorical()
    certain = {f: SURE * F.one_hot(end[f], k).float() for f, k in classes.items()}
    x = process.reverse(
        state.x, prediction.replace(**certain), t, after, eta=0.0, churn=1.0, rng=rng
    )
    # The next prediction reads the student's own prediction, not the target classes.
    return State(x, prediction, s, state.step + 1, state.t, state.steps)
