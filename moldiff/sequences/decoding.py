r"""Sequences of a backbone: drawn residue by residue in any order, and their probability.

The network gives the probabilities of hidden residues whatever the others are, so a sequence has a
probability in every order of its residues.  The mean over all orders of its logarithm is

.. math:: \log p(s | x) = n\, E_m\, \frac 1m \sum_{i\ \mathrm{hidden}}
          \log p(s_i | s_{known}, x)

with m, the number of hidden residues, uniform on 1, ..., n and the known ones at random (Uria et
al., "A Deep and Tractable Density Estimator", 2014; Hoogeboom et al., "Autoregressive Diffusion
Models", 2022, eq. 5); it is also the bound of the mask process for infinitely many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.model import Model
from moldiff.protein.backbone import UNKNOWN
from moldiff.seeds import uniform

__all__ = ["PASSES", "draw", "log_probabilities"]

PASSES = 10
"""Times that a sequence is partly hidden for its probability."""


@torch.no_grad()
def draw(
    model: Model,
    x_0: Batch,
    *,
    rng: torch.Generator,
    settings: Mapping[str, Any] | None = None,
    each: Callable[[], None] = lambda: None,
) -> Int[Tensor, "b n"]:
    """Draw the amino acids of backbones.

    Parameters
    ----------
    x_0:
        Backbones with their amino acids; those that its context does not mark ``clean`` are drawn.
    settings:
        Sampling settings that differ from the model's: ``steps``, ``temperature``.
    each:
        Called after every step.
    """
    denoiser, sampler = with_settings(model.denoiser, {**model.sampling, **(settings or {})})
    x_1 = denoiser.process.start(x_0, rng=rng).to(model.device)
    types = x_1["types"]
    for state in sampler.trajectory(denoiser, x_1, rng=rng):
        types = state.x["types"]
        each()
    return types.cpu()


@torch.no_grad()
def log_probabilities(
    denoiser: Denoiser,
    x_0: Batch,
    *,
    rng: torch.Generator,
    free: Bool[Tensor, "b n"] | None = None,
    passes: int = PASSES,
) -> tuple[Float[Tensor, " b"], Float[Tensor, "b n"]]:
    """Return the log-probability of amino acids given backbones, in nats.

    First the mean per residue in all orders, (b,), see above.  Then the mean of each residue over
    what is known of the others, (b, n), weighed in the same way; NaN for residues that are not
    hidden.

    Parameters
    ----------
    free:
        The residues that are hidden in turn; the others are always known.  By default those that
        are not `UNKNOWN`.
    passes:
        Times that a part is hidden, an even number: a part, and then the rest.
    """
    x_0 = denoiser.encoded(x_0)
    types = x_0["types"]
    free = types != UNKNOWN if free is None else free & (types != UNKNOWN)
    count = free.sum(1, keepdim=True)
    each, weights = (torch.zeros(types.shape, device=types.device) for _ in range(2))
    for number in range(max(1, passes // 2)):
        order = uniform(types.shape, rng=rng, device=types.device).masked_fill(~free, 2.0)
        rank = order.argsort(1).argsort(1)
        share = (number + uniform((len(types), 1), rng=rng, device=types.device)) / passes
        some = (share * (count + 1)).floor()  # 0 to n alike, and so is the rest: none do not count
        for hidden in (rank < some, (rank >= some) & (rank < count)):
            log_p = _of_hidden(denoiser, x_0, hidden)
            weight = hidden / hidden.sum(1, keepdim=True).clamp_min(1)
            each, weights = each + weight * log_p, weights + weight
    return each.sum(1) / weights.sum(1), torch.where(
        free, each / weights.clamp_min(1e-12), torch.nan
    )


def _of_hidden(denoiser: Denoiser, x_0: Batch, hidden: Bool[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Log-probabilities of what is hidden, 0 elsewhere."""
    types = x_0["types"]
    t = hidden.float().mean(1).clamp_min(1e-3)
    predicted = denoiser(x_0.replace(types=types.masked_fill(hidden, UNKNOWN)), t)["types"]
    log_p = predicted.log_softmax(-1).gather(-1, types.unsqueeze(-1)).squeeze(-1)
    return torch.where(hidden, log_p, 0.0)
