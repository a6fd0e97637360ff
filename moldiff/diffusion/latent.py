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

import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.network import Network
from moldiff.diffusion.time import Time

__all__ = ["FIELDS", "Codec"]

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
