"""The inputs of networks of complexes: a ligand's graph and a pocket, raw and encoded.

Class indices are those of `moldiff.chem.graph` and `moldiff.protein.tokens`; networks receive the
numbers of classes when they are built.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["LigandInput", "LigandState", "PocketInput", "PocketState"]


@dataclass(frozen=True, eq=False)
class LigandInput:
    """The n atoms of a ligand, or of b ligands with a leading dimension.

    Attributes
    ----------
    atoms:
        (n, a) int64, class indices, columns as in `moldiff.chem.graph.ATOM_CLASSES`.
    pairs:
        (n, n) int64, bond or graph distance, combined with the number of rotors in between.
    """

    atoms: Int[Tensor, "*b n a"]
    pairs: Int[Tensor, "*b n n"]

    def to(self, device: torch.device | str) -> LigandInput:
        """Return the ligand on a device."""
        return LigandInput(self.atoms.to(device), self.pairs.to(device))


@dataclass(frozen=True, eq=False)
class PocketInput:
    """The m atoms of a pocket.

    Attributes
    ----------
    positions:
        (m, 3) in Å, relative to the box's centre.
    tokens:
        (m,) int64, see `moldiff.protein.tokens`.
    centre:
        (3,) the box's centre in Å.
    """

    positions: Float[Tensor, "m 3"]
    tokens: Int[Tensor, " m"]
    centre: Float[Tensor, " 3"]

    def to(self, device: torch.device | str) -> PocketInput:
        """Return the pocket on a device."""
        parts = (self.positions, self.tokens, self.centre)
        return PocketInput(*(part.to(device) for part in parts))


@dataclass(frozen=True, eq=False)
class LigandState:
    """An encoded ligand.

    Attributes
    ----------
    scalars:
        (n, width) features of its atoms.
    kinds:
        (n, n, pair_width) features of its pairs, for each layer that reads them.
    """

    scalars: Float[Tensor, "n d"]
    kinds: tuple[Float[Tensor, "n n c"], ...]


@dataclass(frozen=True, eq=False)
class PocketState:
    """An encoded pocket.

    Attributes
    ----------
    positions:
        (m, 3) Å relative to the box's centre.
    scalars:
        (m, width).
    vectors:
        (m, channels, 3), rotating with the pocket.
    centre:
        (3,) the box's centre in Å.
    """

    positions: Float[Tensor, "m 3"]
    scalars: Float[Tensor, "m d"]
    vectors: Float[Tensor, "m c 3"]
    centre: Float[Tensor, " 3"]
