"""What a minimisation of the energy of a molecule gives, by whatever method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Minimum"]


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended: energy drop in kcal/mol, positions (n, 3) in Å."""

    drop: float
    positions: npt.NDArray[np.float64]
