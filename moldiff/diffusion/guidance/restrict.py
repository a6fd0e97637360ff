"""Restrict the predicted classes of whole fields to some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.guidance.keep import Keep
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Restrict", "one_of"]


@register(
    "guidance",
    "restrict",
    cites={"austin2021": "eq. 4: the reverse kernel is a sum over the predicted x_0"},
    context=("denoiser",),
)
@dataclass(frozen=True, eq=False)
class Restrict(Guidance):
    """Predict only allowed classes of some fields, the same at all sites that are not clean.

    `Keep`, by settings.

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
        counts = self.process.categorical()
        masks = {f: one_of(allowed, counts[f]) for f, allowed in self.classes.items()}
        return Keep(self.denoiser, masks)(x_t, t, previous)


def one_of(classes: Sequence[int], count: int) -> Bool[Tensor, "1 1 k"]:
    """Return which of ``count`` classes are among some, for all sites of all graphs."""
    mask = torch.zeros(1, 1, count, dtype=torch.bool)
    mask[..., list(classes)] = True
    return mask
