"""What takes part in interactions: atoms by role, rings, polar hydrogens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Features", "Hydrogens", "Ring", "atoms", "pairs"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

#: A polar hydrogen: donor, position or None if it turns, atom behind the donor or None, length.
Row = tuple[int, Floats | None, Floats | None, float]


@dataclass(frozen=True, eq=False)
class Hydrogens:
    """k polar hydrogens: their donors, and where they are or what they turn about.

    Attributes
    ----------
    donor:
        (k,) the heavy atom.
    position:
        (k, 3) in Å; NaN for one that turns freely.
    neighbour:
        (k, 3) the atom behind the donor, about which it turns; NaN if there is none.
    length:
        (k,) of the bond, in Å.
    """

    donor: Index
    position: Floats
    neighbour: Floats
    length: Floats

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Hydrogens:
        """Make them of rows."""
        nowhere = np.full(3, np.nan)
        position, neighbour = (
            np.array([nowhere if row[k] is None else row[k] for row in rows], dtype=np.float64)
            for k in (1, 2)
        )
        return cls(
            atoms(row[0] for row in rows),
            position.reshape(-1, 3),
            neighbour.reshape(-1, 3),
            np.array([row[3] for row in rows], dtype=np.float64),
        )


@dataclass(frozen=True, eq=False)
class Ring:
    """An aromatic ring: its atoms, centroid (3,) and unit normal (3,)."""

    atoms: tuple[int, ...]
    centre: Floats
    normal: Floats

    @classmethod
    def of(cls, x: Floats, ring: Iterable[int]) -> Ring:
        """Make it of its atoms among those at ``x`` (n, 3) in Å."""
        members = tuple(ring)
        corners = x[list(members)]
        centre = corners.mean(0)
        return cls(members, centre, np.linalg.svd(corners - centre)[2][-1])


@dataclass(frozen=True, eq=False)
class Features:
    """The roles of n atoms at ``x`` (n, 3) in Å: indices (k,), or pairs of them (k, 2).

    ``halogens`` are carbon and halogen; ``halogen_acceptors`` an acceptor of halogen bonds and
    each of its neighbours; ``chelators`` bind metals.
    """

    x: Floats
    hydrophobic: Index
    hydrogens: Hydrogens
    acceptors: Index
    cations: Index
    anions: Index
    rings: tuple[Ring, ...]
    halogens: Index
    halogen_acceptors: Index
    metals: Index
    chelators: Index


def atoms(indices: Iterable[int]) -> Index:
    """Return indices as an array (k,)."""
    return np.array(list(indices), dtype=np.int64)


def pairs(indices: Iterable[Sequence[int]]) -> Index:
    """Return pairs of indices as an array (k, 2)."""
    return np.array(list(indices), dtype=np.int64).reshape(-1, 2)
