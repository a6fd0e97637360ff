r"""Objectives: the losses that train denoisers.

===========  ======================  =====================================================
name         prediction at t equals  source
===========  ======================  =====================================================
denoising    the clean batch         L_simple (Ho et al. 2020), EDM (Karras et al. 2022),
                                     flow matching (Lipman et al. 2023): one regression,
                                     weighted by the preconditions' table; D3PM's x_0-loss
                                     (Austin et al. 2021) for classes
reflow       the teacher's sample    Liu et al. (2023), algorithm 1: pairs of noise and the
             from the same noise     sample made from it, which straighten paths
consistency  its own prediction at   Song et al. (2023), algorithms 2 (with a teacher) and 3
             an earlier time of the  (without); Song & Dhariwal (2024) for the loss
             same trajectory
endpoint     the teacher's end       Salimans & Ho (2022), with the whole rest of the
             point from a state      trajectory as one step, on the student's own states
             that the student        (Ross et al., DAgger, 2011, algorithm 3.1)
             reached itself
===========  ======================  =====================================================

The last three train models for few steps.  They take a ``teacher`` by name or path; the caller
loads it and supplies its denoiser as ``guide``.
"""

from __future__ import annotations

from moldiff.diffusion.objective.base import Loss, Objective, coupled, own_prediction
from moldiff.diffusion.objective.consistency import Consistency
from moldiff.diffusion.objective.denoising import Denoising
from moldiff.diffusion.objective.endpoint import Endpoint
from moldiff.diffusion.objective.reconstruction import Reconstruction
from moldiff.diffusion.objective.reflow import Reflow
from moldiff.diffusion.objective.times import Between, Kumaraswamy, LogitNormal, Times

__all__ = [
    "Between",
    "Consistency",
    "Denoising",
    "Endpoint",
    "Kumaraswamy",
    "LogitNormal",
    "Loss",
    "Objective",
    "Reconstruction",
    "Reflow",
    "Times",
    "coupled",
    "own_prediction",
]
