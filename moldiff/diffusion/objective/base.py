"""What every objective promises, and what objectives share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import FIELDS, Batch
from moldiff.diffusion.coupling import Coupling
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.errors import ConfigError, did_you_mean

__all__ = [
    "TAUGHT",
    "WEIGHTS",
    "Loss",
    "Objective",
    "Sampled",
    "coupled",
    "known_fields",
    "weighed",
]

Sampled = Callable[[Denoiser, Mapping[str, Any]], tuple[Denoiser, Sampler]]
"""From a denoiser and sampling settings to what they stand for, as `with_settings`."""

Loss = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]
"""The loss (scalar), and its detached parts by field."""

WEIGHTS: Mapping[str, float] = {"positions": 1.0, "types": 0.25, "charges": 0.5, "bonds": 1.0}
"""Weight of each field's loss, unless said otherwise."""

TAUGHT = ("guide", "sampled")
"""What an objective with a ``teacher`` takes from whoever builds it: the teacher's denoiser, and
how denoisers are sampled."""


class Objective(ABC):
    """A loss of what is trained on a clean batch."""

    trains: ClassVar[str] = "denoiser"
    """What it trains, in words."""

    @abstractmethod
    def __call__(
        self, trained: Any, x_0: Batch, *, rng: torch.Generator, noise: Batch | None = None
    ) -> Loss:
        """Return the loss (scalar) and its detached parts by name.

        Parameters
        ----------
        trained:
            A denoiser; for codecs and distances, which denoise nothing, their network.
        x_0:
            Clean batch; its context goes to the network with it.
        rng:
            For the noise, its level, and whatever else is drawn.
        noise:
            Fields at t = 1 which x_0 was made from, where the data are such pairs; all others
            are drawn.
        """


def known_fields(weights: Mapping[str, float]) -> None:
    """Raise ``ConfigError`` if there is a weight for what is no field."""
    unknown = sorted(set(weights) - set(FIELDS))
    if unknown:
        raise ConfigError(
            f"There is a weight for '{unknown[0]}', which is not a field.",
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

    The noise of vectors, and of whatever a coupling cannot rearrange, stays independent.
    """
    drawn = process.noise_like(x_0, rng=rng)
    given = {} if noise is None else dict(noise)
    if "clean" in x_0.context:  # whose frame and order of atoms are fixed
        return drawn.replace(**given)
    free = [
        f
        for f in process.gaussian()
        if f not in given and (FIELDS[f].points or not coupling.points)
    ]
    free = [f for f in free if f not in process.vectors()]
    return drawn.replace(**{f: coupling(x_0[f], drawn[f]) for f in free}, **given)
