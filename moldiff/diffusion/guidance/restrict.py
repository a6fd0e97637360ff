"""Restrict the predicted classes to some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import Time, field_times
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Restrict"]

_NEVER = -1e4  # a logit of probability 0 that other guidances can still mix and divide


@register(
    "guidance",
    "restrict",
    cites={"austin2021": "eq. 4: the reverse kernel is a sum over the predicted x_0"},
    context=("denoiser",),
)
@dataclass(frozen=True, eq=False)
class Restrict(Guidance):
    r"""Predict only allowed classes of some fields.

    The other classes have probability 0, and the probabilities of the allowed ones are normalised.
    The reverse kernel of a jump process is :math:`\sum_{x_0} q(x_s | x_t, x_0)\, p(x_0 | x_t)`, so
    that x_s comes from allowed classes and from noise, which may still be of any class.  A
    trajectory ends in the most probable class of its last prediction, so that no sampler ends in
    another one: of the normalised logits the largest is at least -log k.

    Clean sites keep the values they are given.

    Parameters
    ----------
    denoiser:
        The denoiser whose predictions are changed.
    classes:
        The allowed classes of each restricted field.

    Raises
    ------
    ConfigError
        If a field is not categorical, or its classes are none or not all of that field.
    """

    denoiser: Denoiser
    classes: Mapping[str, Sequence[int]]

    def __post_init__(self) -> None:
        counts = self.process.categorical()
        for field, allowed in self.classes.items():
            if field not in counts:
                raise ConfigError(
                    f"'{field}' cannot be restricted: it is not a field of classes of this model.",
                    fix=f"Those are {', '.join(sorted(counts)) or 'none'}.",
                )
            if not allowed or not all(0 <= k < counts[field] for k in allowed):
                raise ConfigError(
                    f"'{field}' cannot be restricted to the classes {list(allowed)}.",
                    fix=f"Allow one or more of 0 to {counts[field] - 1}.",
                )

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        prediction = self.denoiser(x_t, t, previous)
        return prediction.replace(
            **{
                field: _restricted(prediction[field], allowed, field_times(t, field))
                for field, allowed in self.classes.items()
            }
        )


def _restricted(logits: Tensor, allowed: Sequence[int], t: Tensor) -> Tensor:
    """Normalised logits (b, sites, k) of the allowed classes; at clean sites those of before."""
    excluded = torch.ones(logits.shape[-1], dtype=torch.bool, device=logits.device)
    excluded[list(allowed)] = False
    among = torch.log_softmax(logits.masked_fill(excluded, -torch.inf), dim=-1)
    among = among.clamp_min(_NEVER / 2).masked_fill(excluded, _NEVER)
    return torch.where(expand(t > 0, logits), among, logits) if t.ndim > 1 else among
