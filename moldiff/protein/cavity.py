"""Cavities of a receptor, by how buried the free points of a grid are.

After LIGSITE (Hendlich, Rippmann & Barnickel, J. Mol. Graph. Model. 15 (1997) 359) and
PocketPicker (Weisel, Proschak & Schneider, Chem. Cent. J. 1 (2007) 7): from every free point rays
go out in the 26 directions of a cube's faces, edges and corners, and the number that meets the
receptor within 10 Å is its burial.  Connected points of high burial are cavities; a long one is
divided into sites of the size of a ligand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Cavity", "burial", "find_cavities"]

_FREE = 2.8  # Å: free points are at least this far from an atom of the receptor
_SOLID = 2.0  # Å: rays end at an atom of this radius
_RAY = 10.0  # Å
_BURIED = 13  # of 26 rays
_SITE = 7.0  # Å: radius of a site in a long cavity
_SMOOTH = 4.0  # Å
_SMALLEST = 60.0  # weighted volume in Å^3 of a cavity worth a box
_MAX_POINTS = 12_000_000  # of the grid; larger receptors get a coarser one
_DIRECTIONS = tuple(d for d in product((-1, 0, 1), repeat=3) if any(d))

Grid = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cavity:
    """A site of p free points in a cavity.

    Attributes
    ----------
    centre:
        Middle (3,) of its points by their burial, in Å.
    volume:
        Buried volume in Å^3: each point counts by its burial, from 1/14 for 13 of the 26 rays to 1
        for all.
    burial:
        Mean of these weights.
    points:
        (p, 3) in Å.
    """

    centre: npt.NDArray[np.float32]
    volume: float
    burial: float
    points: npt.NDArray[np.float32]


def find_cavities(positions: npt.NDArray[np.float32], *, limit: int = 10) -> list[Cavity]:
    """Return the cavities among atoms (m, 3) in Å, the largest buried volume first."""
    if len(positions) < 4:
        return []
    span = np.ptp(positions, axis=0).astype(float) + 4
    spacing = max(1.0, float((span.prod() / _MAX_POINTS) ** (1 / 3)))
    origin = positions.min(axis=0) - 2.0
    shape = tuple(np.ceil(span / spacing).astype(int) + 1)
    cells = (positions - origin) / spacing
    solid = _balls(cells, shape, _SOLID / spacing)
    free = ~_balls(cells, shape, _FREE / spacing)
    count = burial(solid, _RAY / spacing)
    weight = np.where(free & (count >= _BURIED), count - (_BURIED - 1), 0).astype(np.float32)
    weight *= spacing**3 / (len(_DIRECTIONS) - _BURIED + 1)
    return _sites(weight, origin, spacing, limit)


def _balls(cells: npt.NDArray[np.floating], shape: tuple[int, ...], radius: float) -> Grid:
    """Mark the points within a radius of the cells (m, 3), all in steps of the grid."""
    reach = int(np.ceil(radius))
    steps = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    steps = steps[np.linalg.norm(steps, axis=1) <= radius + 0.9]
    marked = np.zeros(tuple(s + 2 * reach for s in shape), dtype=bool)
    base = np.rint(cells).astype(int)
    offset = cells - base
    for step in steps:
        near = ((step - offset) ** 2).sum(axis=1) <= radius**2
        x, y, z = (base[near] + step + reach).T
        marked[x, y, z] = True
    inner = slice(reach, -reach)
    return marked[inner, inner, inner]


def burial(solid: Grid, ray: float) -> npt.NDArray[np.int8]:
    """Count, for each point, the rays of the 26 that meet a solid point within a length.

    A window of k steps is the union of two of k/2, so a ray costs log2(k) shifts of the grid.
    """
    count = np.zeros(solid.shape, dtype=np.int8)
    for direction in _DIRECTIONS:
        steps = max(1, int(ray / np.linalg.norm(direction)))
        window = _shifted(solid, direction, 1)
        covered = 1
        while covered < steps:
            step = min(covered, steps - covered)
            window = window | _shifted(window, direction, step)
            covered += step
        count += window
    return count


def _shifted(grid: Grid, direction: tuple[int, ...], step: int) -> Grid:
    """The grid seen from ``step`` points back along a direction; nothing beyond its edges."""
    result = np.zeros_like(grid)
    source, target = [], []
    for d, n in zip(direction, grid.shape, strict=True):
        move = min(step, n)
        source.append(slice(move, None) if d > 0 else slice(0, n - move) if d < 0 else slice(None))
        target.append(slice(0, n - move) if d > 0 else slice(move, None) if d < 0 else slice(None))
    result[tuple(target)] = grid[tuple(source)]
    return result


def _sites(
    weight: npt.NDArray[np.float32], origin: npt.NDArray[np.float32], spacing: float, limit: int
) -> list[Cavity]:
    """Take sites off the weighted cavities, each about the densest point that is left."""
    label, _ = ndimage.label(weight > 0)
    density = ndimage.gaussian_filter(weight, _SMOOTH / spacing, truncate=2.0)
    points = np.argwhere(weight > 0)
    index = tuple(points.T)
    values, cluster, dense = weight[index], label[index], density[index]
    places = points * spacing + origin
    left = np.ones(len(points), dtype=bool)
    cavities: list[Cavity] = []
    while left.any() and len(cavities) < 3 * limit:
        peak = int(np.argmax(np.where(left, dense, -1.0)))
        near = left & (cluster == cluster[peak])
        near &= ((places - places[peak]) ** 2).sum(axis=1) <= _SITE**2
        left &= ~near
        volume = float(values[near].sum())
        if volume < _SMALLEST:
            continue
        centre = (places[near] * values[near, None]).sum(axis=0) / volume
        inside = places[near].astype(np.float32)
        burial = volume / (len(inside) * spacing**3)
        centre = centre.astype(np.float32)
        cavities.append(Cavity(centre, volume, burial, inside))
    return sorted(cavities, key=lambda cavity: -cavity.volume)[:limit]
