"""The codec of molecules: an equivariant encoder and decoder with a latent between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.latent import FIELDS, Codec
from moldiff.diffusion.network import Symmetry
from moldiff.diffusion.space import Vectors, ZeroCoM
from moldiff.nn.interaction import Interaction
from moldiff.nn.network import GraphNetwork
from moldiff.registry import build, register

__all__ = ["Autoencoder"]

_Fields = tuple[Mapping[str, int], Mapping[str, int]]


@register(
    "codec",
    "autoencoder",
    cites={"xu2023": "section 4.1", "rombach2022": "section 3.1", "kingma2014": "eq. 10"},
)
class Autoencoder(Codec):
    """An equivariant encoder and decoder; the latent is a point and a few numbers per atom.

    Parameters
    ----------
    classes:
        Number of classes of each categorical field.
    width:
        Features per atom.
    encoder, decoder:
        Registered interactions.
    scale:
        Spread of the coordinates per axis, in Å.
    point_noise, feature_noise:
        Standard deviations of the posterior, in Å and in units of the features.
    """

    def __init__(
        self,
        *,
        classes: Mapping[str, int],
        width: int = 8,
        encoder: Mapping[str, Any] | str = "transformer",
        decoder: Mapping[str, Any] | str = "transformer",
        scale: float = 1.0,
        point_noise: float = 0.02,
        feature_noise: float = 0.2,
    ) -> None:
        super().__init__()
        if width < 1 or not (scale > 0 and point_noise >= 0 and feature_noise > 0):
            raise ValueError(
                "it needs 'width' from 1, 'scale' and 'feature_noise' above 0, 'point_noise' from 0"
            )
        self.classes, self.width, self.scale = dict(classes), width, scale
        self.point_noise, self.feature_noise = point_noise, feature_noise
        molecules: _Fields = (self.classes, {})
        latents: _Fields = ({}, {"features": width})
        self.read = GraphNetwork(build("interaction", encoder), *molecules, writes=latents)
        self.write = GraphNetwork(build("interaction", decoder), *latents, writes=molecules)
        if Symmetry.NONE in (self.read.symmetry, self.write.symmetry):
            raise ValueError("both of its networks must be equivariant")

    @property
    def encoder(self) -> Interaction:
        """The interaction of the encoder."""
        return self.read.interaction

    @property
    def decoder(self) -> Interaction:
        """The interaction of the decoder."""
        return self.write.interaction

    @property
    def symmetry(self) -> Symmetry:
        return Symmetry.E3

    def matrices(self) -> Iterator[nn.Parameter]:
        return itertools.chain(self.read.matrices(), self.write.matrices())

    def latents(self, x: Batch) -> Batch:
        return self._displaced(x, self.read)

    def perturb(self, z: Batch, *, rng: torch.Generator) -> Batch:
        spaces = {"positions": ZeroCoM(), "features": Vectors(self.width)}
        sizes = {"positions": self.point_noise, "features": self.feature_noise}
        noise = {f: spaces[f].prior(tuple(z[f].shape), rng=rng, device=z.device) for f in FIELDS}
        return Batch({f: z[f] + sizes[f] * noise[f] for f in FIELDS})

    def divergence(self, z: Batch) -> Tensor:
        variance = self.feature_noise**2
        return 0.5 * (z["features"].square().mean() + variance - 1 - math.log(variance))

    def decode(self, z: Batch) -> Batch:
        return self._displaced(z, self.write)

    def _displaced(self, x: Batch, network: GraphNetwork) -> Batch:
        """Return a network's output for x; its points displace those of x."""
        zero = torch.zeros(x.graphs, device=x.device)
        result: Batch = network(x.replace(positions=x["positions"] / self.scale), zero)
        result = result.map(Tensor.float)
        points = x["positions"] + self.scale * result["positions"]
        return result.replace(positions=ZeroCoM().project(points))
