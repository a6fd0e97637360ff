"""Are these coordinates three-dimensional, and can they be those of these bonds at all?

The limits are far outside of what molecules and usable models have (in 8000 molecules of QM9
bonds are at most 1.27 times the sum of the covalent radii of their atoms, and no two atoms come
closer than 0.78 times): they tell nonsense, not strain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rdkit import Chem

__all__ = ["geometry_failure", "is_drawing"]

# Times the sum of covalent radii.
_CLOSEST, _LONGEST = 0.6, 1.5
_RADII = np.array([Chem.GetPeriodicTable().GetRcovalent(number) for number in range(119)])


def is_drawing(mol: Chem.Mol) -> bool:
    """Whether a conformer is a flat drawing: not marked 3D, and all z = 0.

    Three atoms always lie in a plane, so fewer than four are taken at their word.
    """
    conformer = mol.GetConformer()
    positions = conformer.GetPositions()
    return not conformer.Is3D() and len(positions) > 3 and not positions[:, 2].any()


def geometry_failure(mol: Chem.Mol) -> str | None:
    """Say why a conformer of a molecule can be no geometry of it; None if all can, or are drawings.

    Returns
    -------
    str or None
        "non-finite coordinates", "overlapping atoms: C1 and C2 are 0.02 Å apart" or
        "stretched bond: C2 and O3 are 39.28 Å apart"; atoms are counted from 1.
    """
    conformers = [(c.GetPositions(), c.Is3D()) for c in mol.GetConformers()]
    if not all(np.isfinite(positions).all() for positions, _ in conformers):
        return "non-finite coordinates"
    if mol.GetNumAtoms() < 2 or not conformers:
        return None
    limits = _reach(mol)
    bonded = np.zeros((mol.GetNumAtoms(), mol.GetNumAtoms()), bool)
    for bond in mol.GetBonds():  # RDKit's matrix would stay in the molecule
        bonded[tuple(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())))] = True
    for positions, solid in conformers:
        if not solid and not positions[:, 2].any():
            continue  # a drawing
        gaps = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        ratios = gaps / limits
        near = np.where(np.eye(len(gaps), dtype=bool), np.inf, ratios)
        far = np.where(bonded, ratios, 0.0)
        i, j = divmod(int(near.argmin()), len(gaps))
        if near[i, j] < _CLOSEST:
            return f"overlapping atoms: {_apart(mol, i, j, gaps[i, j])}"
        i, j = divmod(int(far.argmax()), len(gaps))
        if far[i, j] > _LONGEST:
            return f"stretched bond: {_apart(mol, i, j, gaps[i, j])}"
    return None


def _reach(mol: Chem.Mol) -> npt.NDArray[np.float64]:
    """(n, n) sums of covalent radii, Å."""
    radii = _RADII[[atom.GetAtomicNum() for atom in mol.GetAtoms()]]
    return radii[:, None] + radii[None]


def _apart(mol: Chem.Mol, i: int, j: int, distance: float) -> str:
    names = (f"{mol.GetAtomWithIdx(k).GetSymbol()}{k + 1}" for k in (i, j))
    return f"{' and '.join(names)} are {distance:.2f} Å apart"
