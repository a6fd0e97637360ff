r"""Codecs: encode molecules as latents, and decode them.

::

    x (positions, types, charges, bonds) -- encode --> z (positions, features)
      any process, objective and sampler of the engine on z
    z -- decode --> positions, and logits of types, charges and bonds

A latent is a point and a vector per atom, after Xu et al., GeoLDM (2023), section 4.1:

.. math:: z_x = x + \delta(x, h) + \epsilon_x, \qquad z_h = \mu(x, h) + \epsilon_h

The points rotate and reflect with the molecule and have zero mean; the vectors are invariant.  The
posterior's noise has a fixed size.  A Kullback-Leibler term pulls :math:`\mu` to 0, so the noise
limits the information in a latent, and the decoder learns to tolerate errors of that size, such as
a model of the latents will make.

Bonds are decoded from pairs: the features of both atoms and their distance.  Features cannot
distinguish atoms that are equivalent by symmetry (which bonds of a benzene ring are double); the
points can, through :math:`\delta`, which the decoder removes again.
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
    """Encodes clean batches as latents, and decodes them."""

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
        """Return the divergence of the features' distribution with mean z from the prior, a scalar.

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
    """Check that a model has a codec if and only if its process has latent fields.

    Raises
    ------
    ConfigError
        If a model with a codec (``coded``) has other fields than points and features in their
        spaces, or a model without a codec has features.
    """
    if not coded:
        for name in process.vectors():
            raise ConfigError(
                f"The field '{name}' needs a codec, and none is named.",
                fix="Set 'codec' to the file of one (moldiff train qm9-codec makes it).",
            )
        return
    latent_spaces = {"positions": ("zero_com", ZeroCoM), "features": ("vectors", Vectors)}
    if set(process.processes) != set(latent_spaces):
        raise ConfigError(
            f"The latents of a codec are {' and '.join(latent_spaces)}; the process has "
            f"{', '.join(process.processes)}.",
            fix="Give 'process' these two fields (--method latent does), or leave out 'codec'.",
        )
    for name, (space, kind) in latent_spaces.items():
        part = process[name]
        if not isinstance(part, Gaussian) or not isinstance(part.space, kind):
            raise ConfigError(
                f"The latent field '{name}' needs the process 'gaussian' in the space '{space}'.",
                fix=f"Write {name}: {{name: gaussian, schedule: cosine, space: {space}, "
                "scale: data}.",
            )


def check_classless(process: Product, sampling: Mapping[str, Any]) -> None:
    """Check that a model of latents sets no temperature or valence guidance: it has no classes.

    Raises
    ------
    ConfigError
        If the ``sampling`` settings of a process of latents set one.
    """
    for key in ("temperature", "early_temperature", "valence"):
        if process.vectors() and sampling.get(key):  # a valence of 0 is "never"
            raise ConfigError(
                f"'{key}' applies to classes, and latents have none.",
                fix="Leave it out, or use a model of the molecules themselves.",
            )
