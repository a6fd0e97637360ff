r"""Samplers: from pure noise to data along a grid of times, with the package's only time loop.

A sampler is a grid and a stepper.  Steppers use only the processes' ``reverse`` and
``correct`` and the spaces' ``mix``, so each of them works on every field:

=============  =======================================================================
ancestral      reverse step with stochasticity eta: DDPM (1), DDIM / Euler (0)
midpoint       second order, two evaluations: the step from t to s uses the prediction
               at the middle (the family of Karras et al. 2022, appendix D.2)
heun           second order, two evaluations, at t and at s, after an optional move back
               to a higher noise level (Karras et al. 2022, algorithm 2)
multistep      second order, one evaluation: the prediction is extrapolated from the
               last two (Lu et al., DPM-Solver++(2M), 2022, algorithm 2)
langevin       ancestral predictor, Langevin corrector (Song et al. 2021, algorithm 5)
annealed       Langevin steps alone, down a ladder of noise levels (Song & Ermon 2019,
               algorithm 1); needs a variance-exploding schedule
consistency    predict and add fresh noise (Song et al. 2023, algorithm 1); needs a
               denoiser trained to be consistent
=============  =======================================================================
"""

from __future__ import annotations

from moldiff.diffusion.sampler.base import State, Stepper
from moldiff.diffusion.sampler.consistency import Consistency
from moldiff.diffusion.sampler.correctors import Annealed, Langevin
from moldiff.diffusion.sampler.grids import Grid, LogSpaced, Power
from moldiff.diffusion.sampler.sampler import Sampler
from moldiff.diffusion.sampler.steppers import Ancestral, Heun, Midpoint, Multistep

__all__ = [
    "Ancestral",
    "Annealed",
    "Consistency",
    "Grid",
    "Heun",
    "Langevin",
    "LogSpaced",
    "Midpoint",
    "Multistep",
    "Power",
    "Sampler",
    "State",
    "Stepper",
]
