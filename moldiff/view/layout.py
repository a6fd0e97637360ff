"""Where the atoms of a drawing are: cages that can be read.

RDKit lays ring systems out beside each other, which folds cages over themselves.  Its templates
know the usual drawings of many of them (norbornane, cubane, morphinans).  Where that still crosses
bonds or stretches them, CoordGen is asked as well, and the calmer of the two is drawn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdCoordGen, rdDepictor

__all__ = ["lay_flat", "unrest"]

_LENGTH = 1.5  # Å: bonds in the drawings of RDKit
_CALM = 0.5  # of `unrest`: five-membered bridges have bonds a little longer than others
_NEAR = 0.4  # bond lengths: atoms so close look like one

Floats = npt.NDArray[np.float64]


def lay_flat(mol: Chem.Mol) -> None:
    """Give ``mol`` 2D coordinates, its only conformer; hydrogens that are atoms are drawn too."""
    rdDepictor.Compute2DCoords(mol, clearConfs=True, useRingTemplates=True)
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()])
    if len(bonds) < 4:  # no cage
        return
    x = mol.GetConformer().GetPositions()
    before = unrest(x[:, :2], bonds)
    if before <= _CALM:
        return
    other = Chem.Mol(mol)
    try:
        rdCoordGen.AddCoords(other)
    except (RuntimeError, ValueError):  # the first drawing is one, too
        return
    y = other.GetConformer().GetPositions()
    if np.isfinite(y).all() and unrest(y[:, :2], bonds) < before:
        length = np.median(np.linalg.norm(y[bonds[:, 0]] - y[bonds[:, 1]], axis=1))
        mol.GetConformer().SetPositions(y * (_LENGTH / length))


def unrest(x: Floats, bonds: npt.NDArray[np.int64]) -> float:
    """How hard a drawing is to read; 0 for one of even bonds without crossings.

    Crossings of bonds and pairs of atoms that all but coincide count one each, and so do bonds
    of which the longest is 1.65 times the shortest (e to the half).

    Parameters
    ----------
    x:
        (n, 2) coordinates in any unit.
    bonds:
        (m, 2) atoms of the bonds, m of at least 1.
    """
    start, end = x[bonds[:, 0]], x[bonds[:, 1]]
    lengths = np.linalg.norm(end - start, axis=1)
    shortest = max(float(lengths.min()), 1e-6)
    apart = np.linalg.norm(x[:, None] - x[None], axis=-1)
    near = np.triu(apart < _NEAR * np.median(lengths), 1)
    near[bonds.min(1), bonds.max(1)] = False
    crossing = _sides(start, end, x[bonds]) & _sides(start, end, x[bonds]).T
    shared = (bonds[:, None, :, None] == bonds[None, :, None, :]).any((2, 3))
    crossings = np.triu(crossing & ~shared, 1).sum()
    return float(crossings + near.sum() + 2 * np.log(lengths.max() / shortest))


def _sides(start: Floats, end: Floats, ends: Floats) -> npt.NDArray[np.bool_]:
    """Whether the ends (m, 2, 2) of each bond lie on both sides of the line of each, (m, m)."""
    along = (end - start)[:, None, None]
    to = ends[None] - start[:, None, None]
    side = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
    return np.asarray(side[..., 0] * side[..., 1] < 0)
