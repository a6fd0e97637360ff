"""What the engine asks of a network."""

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
    """Which motions of the input a network's output follows; translations always."""

    E3 = "E(3)"
    SE3 = "SE(3)"
    NONE = "none"

    @property
    def equivariant(self) -> bool:
        """Whether rotating the input rotates the output."""
        return self is not Symmetry.NONE

    @property
    def label(self) -> str:
        """How a network is labelled wherever it appears."""
        return {
            Symmetry.E3: "equivariant under rotations and reflections",
            Symmetry.SE3: "equivariant under rotations, and tells mirror images apart",
            Symmetry.NONE: "not equivariant: trained under random rotations and reflections",
        }[self]


class Network(nn.Module, ABC):
    """A network that denoises, or that a denoiser is judged with."""

    @property
    @abstractmethod
    def symmetry(self) -> Symmetry:
        """What the network is equivariant under; the contract tests hold it to that."""

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the context with all that depends on no batch computed: once per problem.

        Encoding what is encoded already changes nothing.
        """
        return context

    def matrices(self) -> Iterator[nn.Parameter]:
        """Yield the parameters between hidden features: not those of embeddings and heads.

        An optimizer that updates matrices as matrices (Muon) takes those that are large ones.
        """
        yield from ()

    @abstractmethod
    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Any:
        """Return raw outputs for a batch, coordinates of unit size, at times t.

        A denoising network returns a batch: coordinates, logits of categorical fields.
        """
