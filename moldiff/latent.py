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

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from moldiff.batch import Batch
from moldiff.errors import ConfigError
from moldiff.nn import Translator
from moldiff.objective.base import Loss, known_fields, weighed
from moldiff.process import Gaussian, Product
from moldiff.registry import build, register
from moldiff.space import Vectors, ZeroCoM

__all__ = ["FIELDS", "Autoencoder", "Codec", "Reconstruction", "check_classless", "check_latent"]

FIELDS = ("positions", "features")
"""The fields of a latent."""


class Codec(nn.Module, ABC):
    """An encoder of clean batches as latents, and its decoder."""

    width: int
    """Features per atom."""

    @abstractmethod
    def encode(self, x: Batch) -> Batch:
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

    def reconstruct(self, z: Batch) -> Batch:
        """Return the most probable batch under the prediction from latents."""
        predicted = self.decode(z)
        return predicted.replace(**{f: predicted[f].argmax(-1) for f in _rest(predicted)})


def _rest(x: Batch) -> list[str]:
    return [f for f in x if f != "positions"]


_Fields = tuple[Mapping[str, int], Mapping[str, int]]


@register(
    "codec",
    "autoencoder",
    cites={"xu2023": "section 4.1", "rombach2022": "section 3.1", "kingma2014": "eq. 10"},
)
class Autoencoder(Codec):
    """Two equivariant networks with a point and a few numbers per atom between them.

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

    hidden = ("read.interaction.", "write.interaction.")  # where Muon finds its matrices

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
        made: _Fields = (self.classes, {})
        latents: _Fields = ({}, {"features": width})
        self.read = Translator(build("interaction", encoder), made, latents)
        self.write = Translator(build("interaction", decoder), latents, made)
        if not (self.encoder.equivariant and self.decoder.equivariant):
            raise ValueError("both of its networks must be equivariant")

    @property
    def encoder(self) -> nn.Module:
        """The interaction of the encoder."""
        return self.read.interaction

    @property
    def decoder(self) -> nn.Module:
        """The interaction of the decoder."""
        return self.write.interaction

    def encode(self, x: Batch) -> Batch:
        return self._moved(x, self.read)

    def perturb(self, z: Batch, *, rng: torch.Generator) -> Batch:
        spaces = {"positions": ZeroCoM(), "features": Vectors(self.width)}
        sizes = {"positions": self.point_noise, "features": self.feature_noise}
        drawn = {f: spaces[f].prior(tuple(z[f].shape), rng=rng, device=z.device) for f in FIELDS}
        return Batch({f: z[f] + sizes[f] * drawn[f] for f in FIELDS})

    def divergence(self, z: Batch) -> Tensor:
        variance = self.feature_noise**2
        return 0.5 * (z["features"].square().mean() + variance - 1 - math.log(variance))

    def decode(self, z: Batch) -> Batch:
        return self._moved(z, self.write)

    def _moved(self, x: Batch, network: nn.Module) -> Batch:
        """Return what a network reads off x, its points as moves of those of x."""
        result: Batch = network(x.replace(positions=x["positions"] / self.scale))
        result = result.map(Tensor.float)
        moved = x["positions"] + self.scale * result["positions"]
        return result.replace(positions=ZeroCoM().project(moved))


def _weights() -> dict[str, float]:
    return {"positions": 100.0, "types": 1.0, "charges": 1.0, "bonds": 10.0}


@register(
    "codec_objective", "reconstruction", cites={"xu2023": "section 4.1", "kingma2014": "eq. 3"}
)
@dataclass(frozen=True)
class Reconstruction:
    r"""The molecule from a draw of its latents, and the posterior's distance from the prior.

    .. math:: -\log p(x | z_x, z_h) + \beta\, \mathrm{KL}(q(z_h | x)\, \|\, N(0, 1))

    Source: Kingma & Welling (2014), eq. 3, as in Xu et al., GeoLDM (2023), section 4.1.

    Parameters
    ----------
    weights:
        Weight of the mean squared error of positions, in 1/Å^2, and of the mean cross-entropy of
        each other field.
    kl:
        beta, the weight of the mean over the features' values.
    """

    weights: Mapping[str, float] = field(default_factory=_weights)
    kl: float = 1e-3

    def __post_init__(self) -> None:
        known_fields(self.weights)
        if not self.kl >= 0:
            raise ConfigError("'kl' of the reconstruction must be a number from 0.")

    def __call__(self, codec: Codec, x_0: Batch, *, rng: torch.Generator) -> Loss:
        """Return the loss (scalar) and its detached parts by field."""
        mean = codec.encode(x_0)
        found = codec.decode(codec.perturb(mean, rng=rng))
        error = (found["positions"] - x_0["positions"]).square().sum(-1).mean()
        parts = {"positions": error}
        for name in _rest(found):
            parts[name] = nn.functional.cross_entropy(
                found[name].flatten(0, -2), x_0[name].flatten()
            )
        parts["kl"] = codec.divergence(mean)
        return weighed(parts, {**self.weights, "kl": self.kl})


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
