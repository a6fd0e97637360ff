"""What every objective promises, and what objectives share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.batch import FIELDS, Batch
from moldiff.coupling import Coupling
from moldiff.denoiser import Denoiser, NetworkDenoiser
from moldiff.errors import ConfigError, did_you_mean
from moldiff.process import Product

__all__ = ["WEIGHTS", "Loss", "Objective", "coupled", "known_fields", "weighed"]

T = TypeVar("T", bound="Objective")

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
    valences:
        What its classes allow, for teachers sampled with the setting 'valence'.
    """

    guide: Denoiser | None = field(default=None, init=False, compare=False, repr=False)
    valences: Any = field(default=None, init=False, compare=False, repr=False)

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

    def taught_by(self: T, guide: Denoiser, valences: Any = None) -> T:
        """Return the same objective with a teacher's denoiser (and valences) in its hands."""
        taught = copy.copy(self)
        object.__setattr__(taught, "guide", guide)
        object.__setattr__(taught, "valences", valences)
        return taught


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
