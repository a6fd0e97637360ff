"""Are these coordinates three-dimensional, and can they be those of these bonds at all?

The limits are far outside of what molecules and usable models have (in 8000 molecules of QM9
bonds are at most 1.27 times the sum of the covalent radii of their atoms, and no two atoms come
closer than 0.78 times): they tell nonsense, not strain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rdkit import Chem

__all__ = ["geometry_failure", "is_drawing", "overlap"]

# Times the sum of covalent radii.
_CLOSEST, _LONGEST = 0.5, 1.8


def is_drawing(mol: Chem.Mol) -> bool:
    """Whether a conformer is a flat drawing: not marked 3D, and all z = 0.

    Three atoms always lie in a plane, so fewer than four are taken at their word.
    """
    return mol.GetNumAtoms() > 3 and _flat(mol)


def geometry_failure(mol: Chem.Mol) -> str | None:
    """Say why no conformer of a molecule can be a geometry of it; None if all can, or are drawings.

    Returns
    -------
    str or None
        "non-finite coordinates", "overlapping atoms: C1 and C2 are 0.02 Å apart" or
        "stretched bond: C2 and O3 are 39.28 Å apart"; atoms are counted from 1.
    """
    for conformer in mol.GetConformers():
        single = Chem.Mol(mol, False, conformer.GetId())
        if (reason := overlap(single)) is not None:
            return reason
        if not _flat(single) and (reason := _stretched(single)) is not None:
            return reason
    return None


def overlap(mol: Chem.Mol) -> str | None:
    """Say whether the coordinates are not finite, or which atoms lie in one another."""
    positions = mol.GetConformer().GetPositions()
    if not np.isfinite(positions).all():
        return "non-finite coordinates"
    if len(positions) < 2 or _flat(mol):
        return None
    radii = _radii(mol)
    gaps = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    ratio = gaps / (radii[:, None] + radii[None])
    np.fill_diagonal(ratio, np.inf)
    i, j = np.unravel_index(int(ratio.argmin()), ratio.shape)
    if ratio[i, j] >= _CLOSEST:
        return None
    return f"overlapping atoms: {_apart(mol, int(i), int(j), float(gaps[i, j]))}"


def _flat(mol: Chem.Mol) -> bool:
    conformer = mol.GetConformer()
    return not conformer.Is3D() and not conformer.GetPositions()[:, 2].any()


def _stretched(mol: Chem.Mol) -> str | None:
    ends = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()], int)
    if not len(ends):
        return None
    positions, radii = mol.GetConformer().GetPositions(), _radii(mol)
    i, j = ends.T
    lengths = np.linalg.norm(positions[i] - positions[j], axis=-1)
    k = int((lengths / (radii[i] + radii[j])).argmax())
    if lengths[k] <= _LONGEST * (radii[i[k]] + radii[j[k]]):
        return None
    return f"stretched bond: {_apart(mol, *sorted(map(int, ends[k])), float(lengths[k]))}"


def _radii(mol: Chem.Mol) -> npt.NDArray[np.float64]:
    """Covalent radii, (n,), Å."""
    table = Chem.GetPeriodicTable()
    return np.array([table.GetRcovalent(atom.GetAtomicNum()) for atom in mol.GetAtoms()])


def _apart(mol: Chem.Mol, i: int, j: int, distance: float) -> str:
    names = (f"{mol.GetAtomWithIdx(k).GetSymbol()}{k + 1}" for k in (i, j))
    return f"{' and '.join(names)} are {distance:.2f} Å apart"
