"""The room of a pocket: a potential of clash and shape, and where a part can grow.

The potential is the docking energy's of an atom that is neither hydrophobic nor binds hydrogen: it
knows walls and how well an atom fits before them (gauss1, gauss2 and repulsion of
`moldiff.docking.energy.terms`), and nothing that a generator could exploit.  Its radius is
oxygen's, the smallest of the common ones, so that a hydrogen bond is no clash.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.design.scaffold import Points, Scaffold
from moldiff.diffusion.guidance import Surroundings
from moldiff.docking.energy.atom_types import RADII, AtomTypes
from moldiff.docking.energy.grid import Grid, GridEnergy, build_grid
from moldiff.docking.energy.internal import Internal

if TYPE_CHECKING:
    from moldiff.docking.problem import Pocket

__all__ = ["Room"]

_NEAR, _FAR = 1.5, 2.9  # Å from a point along its hydrogen: the next atom, and the one after
_FREE = 1.0  # kcal/mol of an atom that does not clash


@dataclass(frozen=True, eq=False)
class Room:
    """The potential of clash and shape in a pocket."""

    grid: Grid

    @classmethod
    def of(cls, pocket: Pocket) -> Room:
        """Build the potential of a pocket."""
        return cls(build_grid(pocket.target, _probes(1), pocket.box))

    def around(self, origin: npt.NDArray[np.float64]) -> Surroundings:
        """Return the potential in a frame whose origin is a point (3,) of the receptor's, in Å."""
        return _Shifted(self.grid, torch.as_tensor(origin).float())

    def points(self, scaffold: Scaffold) -> Points:
        """Return the points of a scaffold before which two more atoms do not clash."""
        free = {}
        for atom, allowed in scaffold.open.items():
            start = scaffold.positions[atom]
            bonds = scaffold.positions[scaffold.hydrogens(atom)] - start
            along = bonds / np.linalg.norm(bonds, axis=1, keepdims=True)
            ahead = start + along[:, None] * np.array([_NEAR, _FAR])[:, None]
            places = torch.as_tensor(ahead.reshape(-1, 1, 3)).float()
            energies = _energy(self.grid, 1)(places).reshape(-1, 2)
            if bool((energies < _FREE).all(1).any()):
                free[atom] = allowed
        return free


@dataclass(frozen=True, eq=False)
class _Shifted(Surroundings):
    grid: Grid
    origin: Float[Tensor, "3"]

    def gradient(self, x: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        return _energy(self.grid, x.shape[1]).value_and_gradient(x + self.origin)[1]

    def to(self, device: torch.device | str) -> Surroundings:
        return self if torch.device(device).type == "cpu" else _Elsewhere(self, device)


@dataclass(frozen=True, eq=False)
class _Elsewhere(Surroundings):
    """A potential whose grid stays on the CPU; a few numbers a step go there and back."""

    inner: Surroundings
    device: torch.device | str

    def gradient(self, x: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        return self.inner.gradient(x.cpu()).to(self.device)

    def to(self, device: torch.device | str) -> Surroundings:
        return self.inner.to(device)


def _probes(n: int) -> AtomTypes:
    never = torch.zeros(n, dtype=torch.bool)
    return AtomTypes(torch.full((n,), RADII[8]), never, never, never)


@lru_cache(maxsize=64)
def _energy(grid: Grid, n: int) -> GridEnergy:
    types, pairs = _probes(n), np.zeros((2, 0), np.int64)
    return GridEnergy(grid, types, Internal.of(types, pairs))
