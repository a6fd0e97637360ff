"""Figures of a backbone that need no folding network: bonds, handedness, order, compactness.

None of them says that a sequence folds into the backbone.  A mirror image satisfies all but the
handedness, and a walk of native pieces all but contacts and size, so only all together mean
something.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from moldiff.geometry.arrays import torsions
from moldiff.protein.backbone import BONDS, end_oxygens, oxygens
from moldiff.protein.secondary import HELIX, HIDDEN, STRAND

__all__ = ["Quality", "obeyed", "quality", "radius", "whole"]

_BOND = 0.1  # Å that the bond may differ
_CLASH = 3.6  # Å, C-alpha of residues that are no neighbours are farther apart
_CONTACT, _LONG = 8.0, 12  # Å between C-alpha, and residues along the chain, of a long contact
_SIZE, _GROWTH = 2.2, 0.38  # Å: radius of gyration of globular chains is 2.2 n^0.38

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """Figures of one backbone of n residues.

    Attributes
    ----------
    joined:
        Share of bonds C-N within 0.1 Å of 1.329 Å.
    clashes:
        Pairs of C-alpha nearer than 3.6 Å, not neighbours in the chain, per 100 residues.
    left:
        Share of residues with phi above 0: about 7 % in natives, 93 % in their mirror images.
    helix, strand:
        Shares of residues (`moldiff.protein.secondary`).
    contacts:
        C-alpha within 8 Å that are 12 residues or more apart in the chain, per residue.
    size:
        Radius of gyration, in units of 2.2 n^0.38 Å.
    """

    joined: float
    clashes: float
    left: float
    helix: float
    strand: float
    contacts: float
    size: float

    @property
    def regular(self) -> float:
        """The share of residues in helices and strands."""
        return self.helix + self.strand

    def row(self) -> dict[str, float]:
        """Return the figures by name, rounded."""
        return {field.name: round(getattr(self, field.name), 4) for field in fields(self)}


def whole(atoms: npt.NDArray[np.floating]) -> Array:
    """Return N, CA, C and O (n, 4, 3) from the first three (n, 3, 3), Å.

    The last O is opposite to N.
    """
    three = atoms[:, :3].astype(np.float64)
    placed = np.concatenate([oxygens(three[:-1], three[1:, 0]), end_oxygens(three[-1:])])
    return np.concatenate([three, placed[:, None]], 1)


def radius(x: npt.NDArray[np.floating]) -> float:
    """Return the radius of gyration of C-alpha (n, 3) in units of 2.2 n^0.38 Å."""
    off = x - x.mean(0)
    return float(np.sqrt(np.square(off).sum(-1).mean()) / (_SIZE * len(x) ** _GROWTH))


def quality(atoms: npt.NDArray[np.floating], states: npt.NDArray[np.int64]) -> Quality:
    """Return the figures of a backbone (n, 4, 3), N, CA, C and O in Å, of ``secondary`` states."""
    x = atoms.astype(np.float64)
    n, ca, c = x[:, 0], x[:, 1], x[:, 2]
    bonds = np.linalg.norm(n[1:] - c[:-1], axis=-1)
    phi = torsions(c[:-1], n[1:], ca[1:], c[1:])
    far = np.linalg.norm(ca[:, None] - ca[None], axis=-1)
    i, j = np.triu_indices(len(ca), 2)
    long = (j - i >= _LONG) & (far[i, j] < _CONTACT)
    return Quality(
        joined=float((np.abs(bonds - BONDS[0]) < _BOND).mean()),
        clashes=float(100 * (far[i, j] < _CLASH).sum() / len(ca)),
        left=float((phi > 0).mean()),
        helix=float((states == HELIX).mean()),
        strand=float((states == STRAND).mean()),
        contacts=float(long.sum() / len(ca)),
        size=radius(ca),
    )


def obeyed(states: npt.NDArray[np.int64], blueprint: npt.NDArray[np.int64]) -> float:
    """Return the share of residues whose state (n,) is the one wanted; NaN if none is."""
    asked = blueprint != HIDDEN
    if not asked.any():
        return float("nan")
    return float((states == blueprint)[asked].mean())
