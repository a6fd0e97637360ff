"""The interface of objectives, and code that they share."""

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
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError, did_you_mean
from moldiff.seeds import uniform

__all__ = [
    "TAUGHT",
    "WEIGHTS",
    "Loss",
    "Objective",
    "Sampled",
    "coupled",
    "known_fields",
    "own_prediction",
    "weighed",
]

Sampled = Callable[[Denoiser, Mapping[str, Any]], tuple[Denoiser, Sampler]]
"""From a denoiser and sampling settings to a guided denoiser and a sampler, as `with_settings`."""

Loss = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]
"""The loss (scalar), and its detached parts by field."""

WEIGHTS: Mapping[str, float] = {"positions": 1.0, "types": 0.25, "charges": 0.5, "bonds": 1.0}
"""Default weight of each field's loss."""

TAUGHT = ("guide", "sampled")
"""Arguments of an objective with a ``teacher`` that the caller supplies: the teacher's denoiser and
a function that prepares denoisers for sampling."""


class Objective(ABC):
    """A loss on clean batches for the part of a model that is trained."""

    trains: ClassVar[str] = "denoiser"
    """The trained part, as a word for messages."""

    @abstractmethod
    def __call__(
        self, trained: Any, x_0: Batch, *, rng: torch.Generator, noise: Batch | None = None
    ) -> Loss:
        """Return the loss (scalar) and its detached parts by name.

        Parameters
        ----------
        trained:
            A denoiser; or the network itself for codecs and distances, which do not denoise.
        x_0:
            Clean batch; its context is passed to the network.
        rng:
            Source of the noise, its level, and all other random draws.
        noise:
            The fields at t = 1 from which x_0 was generated, if the data are such pairs; all other
            fields are drawn.
        """


def known_fields(weights: Mapping[str, float]) -> None:
    """Raise ``ConfigError`` if a weight names something that is not a field."""
    unknown = sorted(set(weights) - set(FIELDS))
    if unknown:
        raise ConfigError(
            f"There is a weight for '{unknown[0]}', which is not a field.",
            fix=did_you_mean(unknown[0], FIELDS),
        )


def weighed(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Loss:
    """Return the weighted sum of scalar losses by field, and the detached losses."""
    total = torch.stack([weights.get(k, 1.0) * v for k, v in parts.items()]).sum()
    return total, {name: value.detach() for name, value in parts.items()}


def own_prediction(
    denoiser: Denoiser, x_t: Batch, t: Time, share: float, *, rng: torch.Generator
) -> Batch | None:
    """Return a first prediction for self-conditioning, in a ``share`` of the calls; or None.

    It has no gradient (Chen et al., "Analog Bits", 2023).
    """
    if uniform((), rng=rng) >= share:
        return None
    with torch.no_grad():
        return denoiser(x_t, t)


def coupled(
    process: Product,
    x_0: Batch,
    coupling: Coupling,
    noise: Batch | None,
    *,
    rng: torch.Generator,
) -> Batch:
    """Return noise for x_0 in every field: the given noise, or drawn noise with coupled points.

    The noise of vectors, and of fields that a coupling cannot rearrange, stays independent.
    """
    independent = process.noise_like(x_0, rng=rng)
    fixed = {} if noise is None else dict(noise)
    if "clean" in x_0.context:  # clean sites fix the frame and the order of atoms
        return independent.replace(**fixed)
    free = [
        f
        for f in process.gaussian()
        if f not in fixed and (FIELDS[f].points or not coupling.points)
    ]
    free = [f for f in free if f not in process.vectors()]
    return independent.replace(**{f: coupling(x_0[f], independent[f]) for f in free}, **fixed)
