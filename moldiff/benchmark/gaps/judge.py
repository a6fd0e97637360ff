"""What was built of a gap, measured: distance, bonds, handedness, cis peptides and clashes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.completion.trials import Cut
from moldiff.geometry.arrays import rmsd, torsions
from moldiff.protein.backbone import BONDS, LETTERS, frames_of
from moldiff.protein.closure import CLOSED
from moldiff.protein.contacts import BACKBONE_RADII, Solid
from moldiff.protein.residues import BACKBONE

__all__ = ["Chain", "Judged", "judge"]

_MOVED = 0.1  # Å: what is given has three decimals
_GLYCINE, _PROLINE = LETTERS.index("G"), LETTERS.index("P")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain of n residues in which a gap was built.

    Attributes
    ----------
    atoms:
        (n, 4, 3) N, CA, C and O in Å.
    beta:
        (n, 3) C-beta in Å; NaN where there is none.
    """

    atoms: Array
    beta: Array


@dataclass(frozen=True)
class Judged:
    """A gap that was built, measured.

    All but ``rmsd`` is about what was built: the residues of the gap, and given ones that moved.

    Attributes
    ----------
    rmsd:
        How far N, CA, C and O of the gap are from the crystal structure in Å, not superposed.
    bond:
        By how much the worst bond C-N, those to the residues that stay included, is off 1.329 Å.
    turned, handed:
        How many residues are D-amino acids, of how many that have a C-beta and are no glycines.
    cis, peptides:
        How many peptides not before prolines are cis, of how many.
    clashes:
        Pairs of backbone atoms of residues that are no neighbours, 0.6 Å nearer than their radii
        add up to, or more (`moldiff.protein.contacts`).
    moved:
        How many of the residues that were given have atoms more than 0.1 Å from where they were.
    """

    rmsd: float
    bond: float
    turned: int
    handed: int
    cis: int
    peptides: int
    clashes: int
    moved: int

    @property
    def closed(self) -> bool:
        """Whether all bonds C-N are within 0.02 Å of 1.329 Å."""
        return self.bond <= CLOSED


def judge(built: Chain, cut: Cut) -> Judged:
    """Measure a chain in which a loop that had been cut out was built."""
    x, native = built.atoms, cut.chain.atoms.astype(np.float64)
    moved = np.linalg.norm(x - native, axis=-1).max(1) > _MOVED
    moved[cut.inside] = False
    new = moved.copy()
    new[cut.inside] = True
    # Of k peptides each joins a residue with the next one; new is one that either is new of.
    joint = np.flatnonzero(new[:-1] | new[1:])
    bonds = np.linalg.norm(x[joint + 1, 0] - x[joint, 2], axis=-1)
    omega = np.abs(torsions(x[joint, 1], x[joint, 2], x[joint + 1, 0], x[joint + 1, 1]))
    ordinary = cut.chain.types[joint + 1] != _PROLINE
    handed = new & (cut.chain.types != _GLYCINE) & np.isfinite(built.beta).all(1)
    frames = frames_of(x.astype(np.float32))
    height = ((built.beta - x[:, 1]) * frames[:, :, 2]).sum(1)[handed]  # below 0 in L-amino acids
    points = (one.reshape(-1, 3) for one in (x[cut.inside], native[cut.inside]))
    return Judged(
        rmsd=float(rmsd(*points)),
        bond=float(np.abs(bonds - BONDS[0]).max()),
        turned=int((height > 0).sum()),
        handed=int(handed.sum()),
        cis=int(((omega < math.pi / 2) & ordinary).sum()),
        peptides=int(ordinary.sum()),
        clashes=_clashes(x, new),
        moved=int(moved.sum()),
    )


def _clashes(x: Array, new: npt.NDArray[np.bool_]) -> int:
    """Pairs of atoms of ``new`` residues with those of any that are no neighbours."""
    n = len(x)
    every = Solid(x.reshape(-1, 3), np.tile(BACKBONE_RADII, n))
    own = np.repeat(np.flatnonzero(new), len(BACKBONE))
    overlaps = every.overlaps(x[new].reshape(-1, 3), np.tile(BACKBONE_RADII, int(new.sum())))
    other = np.repeat(np.arange(n), len(BACKBONE))
    # A pair of two new residues is seen from both, and counted from the first.
    once = ~new[other] | (other > own[:, None])
    return int(((overlaps > 0) & (np.abs(other - own[:, None]) > 1) & once).sum())
