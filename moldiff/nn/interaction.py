"""Interactions: the layers between embedding and heads, which refine a graph's features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from moldiff.diffusion.network import Symmetry
from moldiff.nn.embed import Features

__all__ = ["Interaction"]


class Interaction(nn.Module, ABC):
    """Layers of message passing or attention; they set the sizes of embedding and heads."""

    symmetry: ClassVar[Symmetry]
    """The symmetry of the refined features."""

    width: int
    """Features per atom."""
    pair_width: int
    """Features per pair."""
    channels: int
    """Points per atom."""
    context_width: int
    """Features of the whole graph."""
    cross_attention: bool = False
    """Whether atoms read the graph's conditions as tokens (`Features.tokens`)."""

    @abstractmethod
    def forward(self, x: Features) -> Features:
        """Refine the features; shapes are unchanged."""
