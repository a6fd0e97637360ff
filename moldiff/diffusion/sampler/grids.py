"""Grids: the times a sampler visits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float64
from torch import Tensor

from moldiff.configuration import Range, check_fields
from moldiff.registry import register

__all__ = ["Grid", "LogSpaced", "Power"]


class Grid(ABC):
    """The times a sampler visits."""

    def __post_init__(self) -> None:
        """Check the settings of a grid that is a dataclass."""
        check_fields(self, f"the grid {type(self).__name__}")

    @abstractmethod
    def times(self, steps: int) -> Float64[Tensor, " steps_1"]:
        """Return steps + 1 falling times from 1 to 0."""


@register("grid", "power", cites={"karras2022": "eq. 5"})
@dataclass(frozen=True)
class Power(Grid):
    """t = (1 - i/steps)^exponent: uniform for 1, denser near the data for larger exponents."""

    exponent: Annotated[float, Range(0.01, 100)] = 1.0

    def times(self, steps: int) -> Float64[Tensor, " steps_1"]:
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** self.exponent


@register("grid", "log", cites={"song2019": "section 4.1"})
@dataclass(frozen=True)
class LogSpaced(Grid):
    """Geometric in t from 1 to t_min, and then 0."""

    t_min: Annotated[float, Range(1e-6, 0.99)] = 0.01

    def times(self, steps: int) -> Float64[Tensor, " steps_1"]:
        exponents = torch.linspace(0, 1, steps, dtype=torch.float64)
        return torch.cat([self.t_min**exponents, torch.zeros(1, dtype=torch.float64)])
