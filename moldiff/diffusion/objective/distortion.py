"""Coordinates that are noisier than their time says.

The states of a sampler are not noised data: each step leaves an error in the coordinates, which a
denoiser that has only seen noised data takes for a part of the molecule.  In training, some graphs
therefore get the noise of a later time.  Near the data this is an error of the geometry that the
denoiser learns to correct; near the noise it is nothing.

Source: the geometry distortion of FlowMol3 (Dunn & Koes 2025), which displaces atoms late in the
trajectory; here the displacement is more of the process's own noise, at any time.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.process import Gaussian, Product
from moldiff.diffusion.schedule import inverse
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import SiteTimes, Time, field_times, graph_times
from moldiff.seeds import uniform

__all__ = ["distorted_times"]


def distorted_times(
    process: Product, x: Batch, t: Time, share: float, largest: float, *, rng: torch.Generator
) -> Time:
    """Return times t at which the Gaussian fields of some graphs are noisier.

    Parameters
    ----------
    process, x, t:
        The process, a batch of b graphs, and its times.
    share:
        Share of the graphs that are distorted.
    largest:
        The standard deviation of the noise that is added is uniform between 0 and this, in Å.
    """
    chosen, amount = (uniform((x.graphs,), rng=rng).to(x.device) for _ in range(2))
    extra = largest * amount * (chosen < share)
    sites = dict(t.sites) if isinstance(t, SiteTimes) else {}
    for field, part in process.sized(x).gaussian().items():
        times = field_times(t, field)
        sites[field] = torch.where(times > 0, _later(part, times, extra), times)
    return SiteTimes(graph_times(t), sites)


def _later(
    process: Gaussian, t: Float[Tensor, "b *sites"], extra: Float[Tensor, " b"]
) -> Float[Tensor, "b *sites"]:
    """The times at which the noise beside the signal has ``extra`` Å more, in quadrature."""
    extra = expand(extra, t)
    level = torch.exp(-process.half_log_snr(t.double()))
    noisier = torch.hypot(level, extra.double() / process.unit)
    return torch.where(extra > 0, inverse(process.half_log_snr, -noisier.log()).to(t), t)
