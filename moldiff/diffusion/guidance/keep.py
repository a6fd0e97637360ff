r"""Keep to allowed classes, site by site: known atoms, attachments, elements, a formula.

Each site has a set of allowed classes.  A known class is a set of one; an atom that gives
hydrogens for a bond may be any class of its element with fewer of them; a pair that must not be
bonded may only be "none".  The other classes have probability 0, and the probabilities of the
allowed ones are normalised.

The reverse kernel of a jump process is :math:`\sum_{x_0} q(x_s | x_t, x_0)\, p(x_0 | x_t)`, so that
x_s comes from allowed classes and from noise, which may still be of any class; a known class
follows its exact bridge.  A trajectory ends in the most probable class of its last prediction, so
that no sampler ends in another one: of the normalised logits the largest is at least -log k.

Known coordinates need no guidance.  They are clean sites (`moldiff.diffusion.time`), which no step
moves, so that they stay where they are given, to the last bit, in a frame that the caller chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import Time, field_times

__all__ = ["Keep", "among"]

_NEVER = -1e4  # a logit of probability 0 that other guidances can still mix and divide


@dataclass(frozen=True, eq=False)
class Keep(Guidance):
    """Predict only allowed classes of each site.

    Clean sites keep the values they are given.

    Parameters
    ----------
    denoiser:
        The denoiser whose predictions are changed.
    allowed:
        By field whether a class is allowed at a site: (b, sites, k), or with 1 in place of b or
        of the sites for what is the same in all of them.

    Raises
    ------
    ValueError
        If a site may have no class at all.
    """

    denoiser: Denoiser
    allowed: Mapping[str, Bool[Tensor, "_ _ k"]]

    def __post_init__(self) -> None:
        for field, classes in self.allowed.items():
            if not classes.any(-1).all():
                raise ValueError(f"a site of '{field}' may have no class at all")

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        return prediction.replace(
            **{
                field: among(prediction[field], allowed, field_times(t, field))
                for field, allowed in self.allowed.items()
            }
        )


def among(
    logits: Float[Tensor, "b n k"], allowed: Bool[Tensor, "..."], t: Tensor
) -> Float[Tensor, "b n k"]:
    """Return the normalised logits of the allowed classes; at clean sites those of before."""
    excluded = ~allowed.to(logits.device)
    within = torch.log_softmax(logits.masked_fill(excluded, -torch.inf), dim=-1)
    within = within.clamp_min(_NEVER / 2).masked_fill(excluded, _NEVER)
    return torch.where(expand(t > 0, logits), within, logits) if t.ndim > 1 else within
