r"""Codecs: what molecules look like to a model that works on their latents.

::

    x (positions, types, charges, bonds) -- encode --> z (positions, features)
      any process, objective and sampler of the engine on z
    z -- decode --> positions, and logits of types, charges and bonds

A latent is a point and a vector per atom, after Xu et al., GeoLDM (2023), section 4.1:

.. math:: z_x = x + \delta(x, h) + \epsilon_x, \qquad z_h = \mu(x, h) + \epsilon_h

The points rotate, reflect and move with the molecule and have no centre of mass; the vectors are
invariant.  The posterior's noise is of a fixed size: with :math:`\mu` drawn to 0 by a
Kullback-Leibler term it decides how much a latent can say, and the decoder learns to bear errors
of that size, as a model of the latents will make them.

Bonds are read off pairs: the features of both atoms and their distance.  What the features of
atoms alike by symmetry cannot say (which bonds of a benzene ring are double), the points can, by
:math:`\delta`, and the decoder takes it out again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Gaussian, Product
from moldiff.diffusion.space import Vectors, ZeroCoM
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError

__all__ = ["FIELDS", "Codec", "check_classless", "check_latent"]

FIELDS = ("positions", "features")
"""The fields of a latent."""


class Codec(Network):
    """An encoder of clean batches as latents, and its decoder."""

    width: int
    """Features per atom."""

    @abstractmethod
    def latents(self, x: Batch) -> Batch:
        """Return the mean of the latents of x, in the fields `FIELDS`.

        "positions" (b, n, 3) in Å without centre of mass, "features" (b, n, width).
        """

    @abstractmethod
    def perturb(self, z: Batch, *, rng: torch.Generator) -> Batch:
        """Return a draw of the latents whose mean is z."""

    @abstractmethod
    def divergence(self, z: Batch) -> Tensor:
        """Return how far the features' distribution of mean z is from the prior, a scalar.

        The mean Kullback-Leibler divergence of a value from a standard normal one, in nats.
        """

    @abstractmethod
    def decode(self, z: Batch) -> Batch:
        """Return the prediction from latents: positions in Å, logits of the other fields."""

    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Batch:
        """Return the prediction of a clean batch from the mean of its latents."""
        return self.decode(self.latents(x))

    def reconstruct(self, z: Batch) -> Batch:
        """Return the most probable batch under the prediction from latents."""
        predicted = self.decode(z)
        classes = {f: v.argmax(-1) for f, v in predicted.items() if f != "positions"}
        return predicted.replace(**classes)


def check_latent(process: Product, *, coded: bool) -> None:
    """Refuse a process of latents without a codec, and a codec without a process of latents.

    Raises
    ------
    ConfigError
        If with a codec (``coded``) the fields are not its points and features in their spaces,
        or if there are features without one.
    """
    if not coded:
        for name in process.vectors():
            raise ConfigError(
                f"The field '{name}' is made by a codec, and none is named.",
                fix="Set 'codec' to the file of one (moldiff train qm9-codec makes it).",
            )
        return
    wanted = {"positions": ("zero_com", ZeroCoM), "features": ("vectors", Vectors)}
    if set(process.processes) != set(wanted):
        raise ConfigError(
            f"The latents of a codec are {' and '.join(wanted)}; the process has "
            f"{', '.join(process.processes)}.",
            fix="Give 'process' these two fields (--method latent does), or leave out 'codec'.",
        )
    for name, (space, kind) in wanted.items():
        part = process[name]
        if not isinstance(part, Gaussian) or not isinstance(part.space, kind):
            raise ConfigError(
                f"The latent field '{name}' needs the process 'gaussian' in the space '{space}'.",
                fix=f"Write {name}: {{name: gaussian, schedule: cosine, space: {space}, "
                "scale: data}.",
            )


def check_classless(process: Product, sampling: Mapping[str, Any]) -> None:
    """Refuse a temperature where there are latents in place of classes.

    Raises
    ------
    ConfigError
        If the ``sampling`` of a process of latents sets one.
    """
    for key in ("temperature", "early_temperature", "valence"):
        if process.vectors() and sampling.get(key):  # a valence of 0 is "never"
            raise ConfigError(
                f"'{key}' is about classes, and latents have none.",
                fix="Leave it out, or use a model of the molecules themselves.",
            )
