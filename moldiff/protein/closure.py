"""Closing a gap exactly: a drawn conformation becomes a chain of peptides between its anchors.

A drawn conformation has the right residues, but the bonds between them are a little off.  Here its
chain is built anew, atom by atom, from the anchor before it, with the bond lengths of Engh & Huber
(Acta Cryst. A47 (1991) 392), and its torsions and angles are fitted by least squares
(Levenberg-Marquardt): the chain must end exactly in the anchor after it, stays as near as it can to
what was drawn, and keeps peptides planar and angles usual.  A torsion, or an angle, turns all atoms
behind it about one axis, so derivatives are cross products.

Peptides are trans; one before a proline is cis if it was drawn so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.geometry.arrays import torsions, wrap
from moldiff.protein.backbone import ANGLES, BONDS, LETTERS, oxygens
from moldiff.protein.gap import Gap

__all__ = ["CLOSED", "close_gap", "strained"]

CLOSED = 0.02
"""Å that the end of a closed chain may be off its anchor."""

_TWISTED, _BENT = np.radians([30.0, 15.0])  # peptides and angles farther off are not seen

Array = npt.NDArray[np.float64]

_POSITION = 0.5  # Å, standard deviations in the fit
_ANGLE, _OMEGA, _PSI = np.radians([2.0, 4.0, 5.0])
_FREE = math.radians(1000.0)
_END = 0.05  # Å, of the end of the chain
_FITS, _CLOSINGS = 20, 10  # iterations
_EASY = 0.3  # radians, how easily torsions that are free turn when the end is moved
_PROLINE = LETTERS.index("P")


@dataclass(frozen=True, eq=False)
class _Chain:
    """The internal coordinates of c chains of k atoms, and what they should be.

    Attributes
    ----------
    start:
        (3, 3) N, CA and C of the anchor before.
    bonds:
        (k,) Å.
    usual, spread:
        (c, 2, k) torsions and angles as they should be, and their standard deviations; a spread
        of 0 means that a value is fixed.
    target:
        (c, k, 3) where atoms should be, Å; the last three are the anchor after.
    """

    start: Array
    bonds: Array
    usual: Array
    spread: Array
    target: Array

    def build(self, values: Array) -> Array:
        """Return the atoms (c, k + 3, 3) of torsions and angles (c, 2, k), after the anchor's."""
        c, _, k = values.shape
        x = np.empty((c, k + 3, 3))
        x[:, :3] = self.start
        along = -self.bonds * np.cos(values[:, 1])
        across = self.bonds * np.sin(values[:, 1])
        up, side = across * np.cos(values[:, 0]), across * np.sin(values[:, 0])
        for i in range(k):
            before, second, last = x[:, i], x[:, i + 1], x[:, i + 2]
            u = _unit(last - second)
            n = _unit(np.cross(second - before, u))
            m = np.cross(n, u)
            x[:, i + 3] = last + along[:, i, None] * u + up[:, i, None] * m + side[:, i, None] * n
        return x

    def residuals(self, x: Array, values: Array) -> Array:
        """Return the errors (c, 5 k) of atoms and values, in standard deviations."""
        off = (x[:, 3:] - self.target) / self._tolerance[:, None]
        unusual = np.where(self.spread > 0, wrap(values - self.usual) / self._spread, 0.0)
        return np.concatenate([off.reshape(len(x), -1), unusual.reshape(len(x), -1)], 1)

    def moves(self, x: Array) -> Array:
        """Return the derivatives (c, 3 k, 2 k) of the atoms by the values, Å a radian."""
        c, k = len(x), x.shape[1] - 3
        pivot = x[:, 2:-1]
        torsion = _unit(pivot - x[:, 1:-2])
        angle = _unit(np.cross(x[:, 1:-2] - pivot, x[:, 3:] - pivot))
        axes = np.stack([torsion, angle], 1)
        lever = x[:, None, 3:] - pivot[:, :, None]  # (c, value, atom, 3)
        behind = np.arange(k) >= np.arange(k)[:, None]
        turns = behind[..., None] & (self.spread[..., None, None] > 0)
        moves = np.cross(axes[:, :, :, None], lever[:, None]) * turns
        return moves.reshape(c, 2 * k, 3 * k).swapaxes(1, 2)

    def jacobian(self, x: Array) -> Array:
        """Return the derivatives (c, 5 k, 2 k) of the errors."""
        top = self.moves(x) / np.repeat(self._tolerance, 3)[:, None]
        own = np.where(self.spread > 0, 1 / self._spread, 0.0).reshape(len(x), -1)
        return np.concatenate([top, own[:, :, None] * np.eye(own.shape[1])], 1)

    @property
    def _tolerance(self) -> Array:
        return np.append(np.full(len(self.bonds) - 3, _POSITION), np.full(3, _END))

    @property
    def _spread(self) -> Array:
        return np.where(self.spread > 0, self.spread, 1.0)


def close_gap(
    drawn: npt.NDArray[np.floating], gap: Gap
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return conformations of a gap closed, and how far each still is from its anchor.

    Parameters
    ----------
    drawn:
        (c, n, a, 3) atoms N, CA, C, ... of each of n residues in Å, nearly closed.
    gap:
        Its anchors, which do not move; that the oxygen of the first stays in the plane of the
        peptide decides where the chain begins.

    Returns
    -------
    atoms:
        (c, n, 4, 3) N, CA, C and O in Å.
    error:
        (c,) largest distance in Å of N, CA and C of the anchor from where the chain ends; above
        `CLOSED` if no such chain spans the anchors.
    """
    after = gap.anchors[1].astype(np.float64)
    c, n = drawn.shape[:2]
    chain = _chain(np.asarray(drawn[:, :, :3], np.float64).reshape(c, 3 * n, 3), gap)
    values = chain.usual.copy()
    x = _closed(chain, _fitted(chain, values))
    error = np.linalg.norm(x[:, -3:] - after[:3], axis=-1).max(1)
    atoms = x[:, 3:-3].reshape(c, n, 3, 3)
    following = np.concatenate([atoms[:, 1:, 0], np.broadcast_to(after[0], (c, 1, 3))], 1)
    closed = np.concatenate([atoms, oxygens(atoms, following)[:, :, None]], 2)
    return closed.astype(np.float32), error


def strained(atoms: npt.NDArray[np.floating], gap: Gap) -> npt.NDArray[np.bool_]:
    """Return which closed conformations (c,) have twisted peptides or bent angles.

    ``atoms`` is (c, n, a, 3), N, CA, C, ... in Å.  Ends that are too near or too far from each
    other can be joined by such chains only; nor is a peptide cis unless it leads to a proline.
    """
    c = len(atoms)
    ends = np.broadcast_to(gap.anchors[:, None, :3].astype(np.float64), (2, c, 3, 3))
    chain = np.concatenate([ends[:1], atoms[:, :, :3].swapaxes(0, 1), ends[1:]])
    ca, carbon = chain[:-1, :, 1], chain[:-1, :, 2]
    nitrogen, following = chain[1:, :, 0], chain[1:, :, 1]
    omega = np.abs(torsions(ca, carbon, nitrogen, following))
    cis = (omega < math.pi / 2) & _before_proline(gap)[:, None]
    twisted = np.where(cis, omega, math.pi - omega) > _TWISTED
    bent = np.zeros_like(twisted)
    for usual, parts in zip(
        ANGLES[:2], ((ca, carbon, nitrogen), (carbon, nitrogen, following)), strict=True
    ):
        a, b, d = parts
        cosine = (_unit(a - b) * _unit(d - b)).sum(-1).clip(-1, 1)
        bent |= np.abs(np.arccos(cosine) - usual) > _BENT
    mask: npt.NDArray[np.bool_] = (twisted | bent).any(0)
    return mask


def _chain(drawn: Array, gap: Gap) -> _Chain:
    """Return the chain of drawn atoms (c, 3 n, 3): their torsions, but usual angles."""
    before, after = gap.anchors.astype(np.float64)
    c, k = len(drawn), drawn.shape[1] + 3
    target = np.concatenate([drawn, np.broadcast_to(after[:3], (c, 3, 3))], 1)
    x = np.concatenate([np.broadcast_to(before[:3], (c, 3, 3)), target], 1)
    bonds, angles = np.tile(BONDS, k // 3), np.tile(ANGLES, k // 3)
    bonds[-2:] = np.linalg.norm(np.diff(after[:3], axis=0), axis=1)
    angles[-1] = _angle(*after[:3])
    turns = torsions(x[:, :-3], x[:, 1:-2], x[:, 2:-1], x[:, 3:])
    spread = np.full((c, 2, k), _FREE)
    spread[:, 1], spread[:, 1, -1] = _ANGLE, 0.0
    cis = (np.abs(turns[:, 1::3]) < math.pi / 2) & _before_proline(gap)
    turns[:, 1::3], spread[:, 0, 1::3] = np.where(cis, 0.0, math.pi), _OMEGA
    # The oxygen of the anchor lies opposite of the next nitrogen.
    turns[:, 0], spread[:, 0, 0] = wrap(torsions(*before) + math.pi), _PSI
    usual = np.stack([turns, np.broadcast_to(angles, turns.shape)], 1)
    return _Chain(before[:3], bonds, usual, spread, target)


def _before_proline(gap: Gap) -> npt.NDArray[np.bool_]:
    """Which of the n + 1 peptides lead to a proline."""
    types = np.append(gap.types, gap.around_types[gap.around_places == len(gap)])
    return types == _PROLINE


def _fitted(chain: _Chain, values: Array) -> Array:
    """Fit torsions and angles (c, 2, k); each chain has a damping of its own."""
    damping = np.full(len(values), 1e-2)
    x = chain.build(values)
    error = chain.residuals(x, values)
    for _ in range(_FITS):
        j = chain.jacobian(x)
        normal = j.swapaxes(1, 2) @ j + damping[:, None, None] * np.eye(j.shape[2])
        step = np.linalg.solve(normal, -(j.swapaxes(1, 2) @ error[..., None]))
        tried = values + step.reshape(values.shape)
        x_tried = chain.build(tried)
        e_tried = chain.residuals(x_tried, tried)
        better = np.square(e_tried).sum(1) < np.square(error).sum(1)
        values = np.where(better[:, None, None], tried, values)
        x = np.where(better[:, None, None], x_tried, x)
        error = np.where(better[:, None], e_tried, error)
        damping = np.where(better, damping / 5, damping * 5).clip(1e-9, 1e9)
    return values


def _closed(chain: _Chain, values: Array) -> Array:
    """Return the atoms (c, k + 3, 3) of chains whose ends are moved onto the anchor.

    Newton's method: of all small changes that close the chain, the one that turns least what is
    stiff.  Least squares alone would follow the narrow valley of closed chains too slowly.
    """
    ease = np.minimum(chain.spread, _EASY).reshape(len(values), 1, -1) ** 2
    for _ in range(_CLOSINGS):
        x = chain.build(values)
        j = chain.moves(x)[:, -9:]
        off = (x[:, -3:] - chain.target[:, -3:]).reshape(len(x), 9, 1)
        # The end is rigid: of nine equations six are independent.
        force = np.linalg.solve((j * ease) @ j.swapaxes(1, 2) + 1e-9 * np.eye(9), off)
        values = values - ((j * ease).swapaxes(1, 2) @ force).reshape(values.shape)
    return chain.build(values)


def _unit(v: Array) -> Array:
    unit: Array = v / np.linalg.norm(v, axis=-1, keepdims=True).clip(1e-9)
    return unit


def _angle(a: Array, b: Array, c: Array) -> float:
    cosine = float(_unit(a - b) @ _unit(c - b))
    return math.acos(max(-1.0, min(1.0, cosine)))
