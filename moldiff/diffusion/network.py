"""The interface that the engine expects of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from torch import nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.time import Time

__all__ = ["Network", "Symmetry"]


class Symmetry(StrEnum):
    """The symmetry group under which a network is equivariant, besides translations."""

    E3 = "E(3)"
    SE3 = "SE(3)"
    NONE = "none"

    @property
    def equivariant(self) -> bool:
        """Whether rotating the input rotates the output."""
        return self is not Symmetry.NONE

    @property
    def label(self) -> str:
        """Label of the network in reports and listings."""
        return {
            Symmetry.E3: "equivariant under rotations and reflections",
            Symmetry.SE3: "equivariant under rotations, and tells mirror images apart",
            Symmetry.NONE: "not equivariant",
        }[self]


class Network(nn.Module, ABC):
    """A network that denoises, or that evaluates a denoiser."""

    @property
    @abstractmethod
    def symmetry(self) -> Symmetry:
        """The symmetry of the network, which the contract tests verify."""

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the context with all batch-independent parts precomputed, once per problem.

        Encoding an encoded context changes nothing.
        """
        return context

    def matrices(self) -> Iterator[nn.Parameter]:
        """Yield the weights between hidden features, without those of embeddings and heads.

        Optimizers that update matrices as a whole (Muon) take the large ones among them.
        """
        yield from ()

    @abstractmethod
    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Any:
        """Return raw outputs for a batch, coordinates of unit size, at times t.

        A denoising network returns a batch: coordinates, logits of categorical fields.
        """
