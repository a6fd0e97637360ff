"""A molecule as the arrays that a model learns.

Pairs are the upper triangle in the order of ``numpy.triu_indices(n, 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["Encoded", "Rejected", "pair_indices"]


@dataclass(frozen=True)
class Encoded:
    """One molecule of n atoms and e = n(n-1)/2 pairs as arrays.

    Attributes
    ----------
    positions:
        (n, 3) float32, Å.
    types:
        (n,) int8, index into ``vocabulary.elements``; n counts the heavy atoms alone where the
        vocabulary folds the hydrogens.
    charges:
        (n,) int8, index into ``vocabulary.charges`` (not the charge itself).
    bonds:
        (e,) int8, index into ``vocabulary.bonds``.
    """

    positions: npt.NDArray[np.float32]
    types: npt.NDArray[np.int8]
    charges: npt.NDArray[np.int8]
    bonds: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Rejected:
    """Why a molecule could not be encoded."""

    reason: str


@lru_cache(maxsize=256)
def pair_indices(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the n(n-1)/2 pairs i < j, in the order of ``numpy.triu_indices(n, 1)``.

    The arrays are shared and therefore read-only.
    """
    rows, columns = np.triu_indices(n, 1)
    rows.setflags(write=False)
    columns.setflags(write=False)
    return rows, columns
