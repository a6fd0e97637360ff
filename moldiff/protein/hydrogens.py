"""Positions of polar hydrogens, by the geometry of the heavy atoms around their parents.

Amides and rings are planar, ammonium groups staggered; a hydroxyl turns its hydrogen to the
nearest acceptor, or else to where there is most room.  The hydrogens serve output and checks;
the energy does not read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.protein.bonds import Bonds
from moldiff.protein.structure import Structure

__all__ = ["PLACERS", "place_hydrogens"]

_NH, _OH = 1.01, 0.96  # Å
_OXYGEN = 8
_TETRAHEDRAL, _TRIGONAL, _WATER = np.radians(109.47), np.radians(120.0), np.radians(104.5)
_TURNS = np.radians(np.arange(0, 360, 15.0))
_BOND_REACH = 3.5  # Å: two heavy atoms of a hydrogen bond
_BONDED_TO = 2.6  # Å: an acceptor this near to a hydroxyl hydrogen attracts it

Vector = npt.NDArray[np.float64]
Around = list[int]


def _unit(v: Vector) -> Vector:
    return v / max(float(np.sqrt(v @ v)), 1e-6)


def _perpendicular(axis: Vector, towards: Vector) -> Vector:
    """Unit vector across an axis, on the side of a second vector if that is not parallel."""
    for candidate in (towards, np.eye(3)[int(np.argmin(np.abs(axis)))]):
        across = candidate - axis * float(axis @ candidate)
        if across @ across > 1e-4:
            return _unit(across)
    raise AssertionError("an axis is parallel to at most one of them")


class _Scene:
    """The heavy atoms and bonds that all placers read."""

    def __init__(self, structure: Structure, bonds: Bonds, acceptor: npt.NDArray[np.bool_]) -> None:
        self.x = structure.positions.astype(np.float64)
        self.numbers = structure.numbers
        self.bonds = bonds
        self.acceptors = np.flatnonzero(acceptor)
        self.acceptor_tree = cKDTree(self.x[self.acceptors]) if len(self.acceptors) else None
        self.tree = cKDTree(self.x)

    def length(self, atom: int) -> float:
        return _OH if self.numbers[atom] == _OXYGEN else _NH

    def cone(self, atom: int, angle: float, turns: npt.ArrayLike) -> Vector:
        """Positions (k, 3) at a bond angle and torsions against the neighbour's neighbour."""
        neighbour = self.bonds.of(atom)[0]
        axis = _unit(self.x[atom] - self.x[neighbour])
        others = [n for n in self.bonds.of(neighbour) if n != atom]
        beyond = self.x[others[0]] - self.x[neighbour] if others else np.zeros(3)
        across = _perpendicular(axis, beyond)
        third = np.cross(axis, across)
        t = np.asarray(turns, dtype=float)[:, None]
        ring = np.cos(t) * across + np.sin(t) * third
        away = -np.cos(angle) * axis + np.sin(angle) * ring
        return self.x[atom] + self.length(atom) * away

    def best_turn(self, atom: int, candidates: Vector) -> Vector:
        """The candidate (1, 3) nearest to a foreign acceptor, or with most room."""
        own = {atom, *self.bonds.of(atom)}
        if self.acceptor_tree is not None:
            far = self._nearest(self.acceptor_tree, candidates, own, self.acceptors)
            if far.min() < _BONDED_TO:
                return candidates[[int(far.argmin())]]
        room = self._nearest(self.tree, candidates, own, np.arange(len(self.x)))
        return candidates[[int(room.argmax())]]

    @staticmethod
    def _nearest(
        tree: cKDTree, points: Vector, own: set[int], index: npt.NDArray[np.intp]
    ) -> Vector:
        """Distance (k,) of each point to the nearest atom that is not one of ``own``."""
        count = min(len(own) + 1, len(index))
        far, which = tree.query(points, k=[*range(1, count + 1)])
        far = np.where(np.isin(index[which], list(own)), np.inf, far)
        return np.minimum(far.min(axis=1), 99.0)


def _plane(scene: _Scene, atom: int) -> Vector:
    """One hydrogen opposite to the neighbours: N-H of amides, rings and guanidines."""
    away = sum((_unit(scene.x[atom] - scene.x[n]) for n in scene.bonds.of(atom)), start=np.zeros(3))
    return (scene.x[atom] + scene.length(atom) * _unit(away))[None]


def _amide(scene: _Scene, atom: int) -> Vector:
    """Two hydrogens in the plane of the neighbour: NH2 of amides, guanidines and bases."""
    if len(scene.bonds.of(atom)) == 1:
        return scene.cone(atom, float(_TRIGONAL), (0.0, np.pi))
    return _plane(scene, atom)


def _ammonium(scene: _Scene, atom: int) -> Vector:
    """The staggered hydrogens of R-NH3+."""
    if len(scene.bonds.of(atom)) == 1:
        return scene.cone(atom, float(_TETRAHEDRAL), np.radians((60.0, 180.0, 300.0)))
    return _plane(scene, atom)


def _ammonium2(scene: _Scene, atom: int) -> Vector:
    """The two hydrogens of R2-NH2+."""
    u, v = (_unit(scene.x[atom] - scene.x[n]) for n in scene.bonds.of(atom)[:2])
    middle = _unit(u + v)
    normal = _perpendicular(middle, np.cross(u, v))
    half = _TETRAHEDRAL / 2
    steps = [np.cos(half) * middle + sign * np.sin(half) * normal for sign in (1, -1)]
    return scene.x[atom] + scene.length(atom) * np.array(steps)


def _hydroxyl(scene: _Scene, atom: int) -> Vector:
    """The hydrogen of C-OH, turned to an acceptor."""
    return scene.best_turn(atom, scene.cone(atom, float(_TETRAHEDRAL), _TURNS))


def _water(scene: _Scene, atom: int) -> Vector:
    """Two hydrogens without bonded neighbours: the first at the nearest acceptor."""
    aim = np.array([1.0, 0.0, 0.0])
    if scene.acceptor_tree is not None:
        far, which = scene.acceptor_tree.query(scene.x[atom], k=[1, 2])  # the first may be itself
        nearest = int(
            np.argmax(scene.acceptors[np.minimum(which, len(scene.acceptors) - 1)] != atom)
        )
        if far[nearest] < _BOND_REACH:
            aim = scene.x[scene.acceptors[which[nearest]]] - scene.x[atom]
    first = _unit(aim)
    second = np.cos(_WATER) * first + np.sin(_WATER) * _perpendicular(first, np.ones(3))
    return scene.x[atom] + scene.length(atom) * np.array([first, second])


#: How hydrogens stand -> function of (scene, atom) that returns their positions (k, 3) in Å.
PLACERS: dict[str, Callable[[_Scene, int], Vector]] = {
    "plane": _plane,
    "amide": _amide,
    "ammonium": _ammonium,
    "ammonium2": _ammonium2,
    "pyramid": _plane,
    "hydroxyl": _hydroxyl,
    "water": _water,
}


def _placed(scene: _Scene, donors: dict[int, str]) -> Iterator[tuple[int, Vector]]:
    """Each donor with its hydrogens; donors whose neighbours are missing get none."""
    for atom, standing in sorted(donors.items()):
        if standing == "water" or scene.bonds.of(atom):
            yield atom, PLACERS[standing](scene, atom)


def place_hydrogens(
    structure: Structure,
    bonds: Bonds,
    donors: dict[int, str],
    acceptor: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Place the hydrogens of all donors.

    Parameters
    ----------
    structure, bonds:
        m heavy atoms.
    donors:
        Atom -> how its hydrogens stand, a key of `PLACERS`.
    acceptor:
        (m,) which atoms attract hydroxyl hydrogens.

    Returns
    -------
    positions, parents:
        (h, 3) in Å and the (h,) heavy atoms they are bonded to, ascending.
    """
    scene = _Scene(structure, bonds, acceptor)
    blocks: list[Vector] = []
    parents: list[Sequence[int]] = []
    for atom, block in _placed(scene, donors):
        blocks.append(block)
        parents.append([atom] * len(block))
    if not blocks:
        return np.zeros((0, 3), dtype=np.float32), np.zeros(0, dtype=np.int64)
    flat = [parent for block_parents in parents for parent in block_parents]
    return np.concatenate(blocks).astype(np.float32), np.array(flat, dtype=np.int64)
