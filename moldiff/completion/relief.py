"""Conformations of a gap that clash with what is there: which do, and how they are relieved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.protein.closure import CLOSED, close_gap, strained
from moldiff.protein.contacts import BACKBONE_RADII, Solid, radii
from moldiff.protein.gap import Gap
from moldiff.protein.packing import beta_carbons

__all__ = ["Obstacles"]

Array = npt.NDArray[np.float64]

_REACH = 6.0  # Å: atoms farther than this from all of a conformation touch nothing
_BONDED = 1.7  # Å: what is bonded to the backbone of an anchor is near what follows it
_SAME = 0.1  # Å: an atom that is given twice
_ROUNDS = 8
_FURTHER, _MOST = 1.5, 1.0  # how far residues are pushed, in overlaps; Å at most


@dataclass(frozen=True, eq=False)
class Obstacles:
    """All that conformations of a gap may clash with: atoms that are there, and themselves.

    Backbone and C-beta are looked at; neighbours in the chain are left out, which are bonded or
    share an angle.

    Attributes
    ----------
    gap, names:
        The gap, and three-letter names of its n residues.
    atoms:
        All atoms but those of the residues; the anchors' too.
    """

    gap: Gap
    names: Sequence[str]
    atoms: Solid

    def relieved(
        self, conformations: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return closed conformations (c, n, 4, 3) in Å, and which (c,) clash with nothing.

        Residues that clash are pushed away and the chain is closed again, some times over.
        """
        coordinates = conformations.copy()
        free = np.zeros(len(coordinates), bool)
        for round_ in range(_ROUNDS):
            busy = np.flatnonzero(~free)
            if not len(busy):
                break
            shift, overlap = self._pushed(coordinates[busy].astype(np.float64))
            free[busy] = overlap == 0
            busy, shift = busy[overlap > 0], shift[overlap > 0]
            if round_ == _ROUNDS - 1 or not len(busy):
                break
            moved, error = close_gap(coordinates[busy, :, :3] + shift[:, :, None], self.gap)
            fine = (error < CLOSED) & ~strained(moved, self.gap)
            coordinates[busy[fine]] = moved[fine]
        return coordinates, free

    def in_the_way(self, conformations: npt.NDArray[np.float32]) -> Array:
        """Return the position (3,) in Å of the atom that conformations overlap most."""
        points = conformations.astype(np.float64).reshape(len(conformations), -1, 3)
        around = self.atoms.near(points.reshape(-1, 3), _REACH)
        residue = np.repeat(np.arange(len(self.names)), 4)
        size = np.tile(BACKBONE_RADII, len(self.names))
        overlap = around.overlaps(points, size).sum(0) * self._counted(around, residue)
        if not overlap.any():
            return points[0, 0]  # they are in their own way
        worst: Array = around.positions[overlap.sum(0).argmax()]
        return worst

    def _pushed(self, atoms: Array) -> tuple[Array, Array]:
        """How far residues (c, n, 3) should move, and the sum of all overlaps (c,), in Å."""
        n = len(self.names)
        beta, which = beta_carbons(atoms, self.names)
        points = np.concatenate([atoms.reshape(len(atoms), -1, 3), beta], 1)
        size = np.concatenate([np.tile(BACKBONE_RADII, n), radii(np.full(len(which), 6))])
        residue = np.concatenate([np.repeat(np.arange(n), 4), which])
        around = self.atoms.near(points.reshape(-1, 3), _REACH)
        counted = self._counted(around, residue)
        apart = np.abs(residue[:, None] - residue) > 1
        shift, total = np.zeros_like(atoms[:, :, 0]), np.zeros(len(atoms))
        for k, own in enumerate(points):
            others = Solid(own, size).overlaps(own, size) * apart
            fixed = around.overlaps(own, size) * counted
            push = _away(own, around.positions, fixed) + _away(own, own, others) / 2
            np.add.at(shift[k], residue, push)
            total[k] = fixed.sum() + others.sum() / 2
        shift[:, 1:] += shift[:, :-1] / 2  # the neighbours go along, so that the chain can
        shift[:, :-1] += shift[:, 1:] / 2
        length = np.linalg.norm(shift, axis=-1, keepdims=True)
        return _FURTHER * shift * np.minimum(1, _MOST / length.clip(1e-6)), total

    def _counted(self, around: Solid, residue: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Which pairs (p, m) count: none of an anchor's atoms with the residue bonded to it."""
        counted = np.ones((len(residue), len(around.positions)), bool)
        before, after = self.gap.anchors
        # The bond across an anchor's outer end, N or C, leads to a residue that is no neighbour.
        for k, anchor, inner in ((0, before, before[1:]), (len(self.names) - 1, after, after[:2])):
            own = _nearest(around.positions, anchor) < _SAME
            own |= _nearest(around.positions, inner) < _BONDED
            counted[np.ix_(residue == k, own)] = False
        return counted


def _nearest(points: Array, others: npt.NDArray[np.float32]) -> Array:
    """How far each point (p, 3) is from the nearest of others (k, 3), Å."""
    nearest: Array = np.linalg.norm(points[:, None] - others, axis=-1).min(1, initial=np.inf)
    return nearest


def _away(points: Array, others: Array, overlap: Array) -> Array:
    """The way (p, 3) that takes points out of what they overlap (p, m) by, Å."""
    step = points[:, None] - others
    unit = step / np.linalg.norm(step, axis=-1, keepdims=True).clip(1e-3)
    away: Array = (unit * overlap[..., None]).sum(1)
    return away
