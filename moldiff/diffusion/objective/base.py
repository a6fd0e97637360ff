"""What every objective promises, and what objectives share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import FIELDS, Batch
from moldiff.diffusion.coupling import Coupling
from moldiff.diffusion.denoiser import Denoiser, NetworkDenoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.errors import ConfigError, did_you_mean

__all__ = ["WEIGHTS", "Loss", "Objective", "coupled", "known_fields", "weighed"]

T = TypeVar("T", bound="Objective")

Sampled = Callable[[Denoiser, Mapping[str, Any]], tuple[Denoiser, Sampler]]
"""From a denoiser and sampling settings to what they stand for, as `with_settings`."""

Loss = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]
"""The loss (scalar), and its detached parts by field."""

WEIGHTS: Mapping[str, float] = {"positions": 1.0, "types": 0.25, "charges": 0.5, "bonds": 1.0}
"""Weight of each field's loss, unless said otherwise."""


@dataclass(frozen=True)
class Objective(ABC):
    """A loss of a denoiser on a clean batch.

    Attributes
    ----------
    teacher:
        Name or path of the model that teaches, for the objectives that have the setting.
    guide:
        The denoiser of that model, see :meth:`taught_by`.
    sampled:
        How a denoiser is sampled by settings, see :meth:`sampled_by`.
    """

    guide: Denoiser | None = field(default=None, init=False, compare=False, repr=False)
    sampled: Sampled = field(
        default_factory=lambda: with_settings, init=False, compare=False, repr=False
    )

    @abstractmethod
    def __call__(
        self,
        denoiser: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        """Return the loss (scalar) and its detached parts by field.

        ``noise`` holds fields at t = 1 which x_0 was made from, where the data are such pairs;
        all others are drawn.
        """

    def taught_by(self: T, guide: Denoiser) -> T:
        """Return the same objective with a teacher's denoiser in its hands."""
        return _changed(self, guide=guide)

    def sampled_by(self: T, sampled: Sampled) -> T:
        """Return the same objective, whose teacher and student are sampled so."""
        return _changed(self, sampled=sampled)


def _changed(objective: T, **values: Any) -> T:
    """A copy with other values of what is no setting."""
    changed = copy.copy(objective)
    for name, value in values.items():
        object.__setattr__(changed, name, value)
    return changed


def known_fields(weights: Mapping[str, float]) -> None:
    """Raise ``ConfigError`` if there is a weight for what is no field."""
    unknown = sorted(set(weights) - set(FIELDS))
    if unknown:
        raise ConfigError(
            f"There is a weight for '{unknown[0]}', which is no field.",
            fix=did_you_mean(unknown[0], FIELDS),
        )


def weighed(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Loss:
    """Return the weighed sum of scalar losses by field, and the losses without gradient."""
    total = torch.stack([weights.get(k, 1.0) * v for k, v in parts.items()]).sum()
    return total, {name: value.detach() for name, value in parts.items()}


def coupled(
    process: Product,
    x_0: Batch,
    coupling: Coupling,
    noise: Batch | None,
    *,
    rng: torch.Generator,
) -> Batch:
    """Return noise for x_0 in every field: what is given; the rest drawn, points coupled.

    Vectors are no points to be turned: their noise stays independent.
    """
    drawn = process.noise_like(x_0, rng=rng)
    given = {} if noise is None else dict(noise)
    free = [f for f in process.gaussian() if f not in given and f not in process.vectors()]
    return drawn.replace(**{f: coupling(x_0[f], drawn[f]) for f in free}, **given)
