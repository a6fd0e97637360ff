"""RMSD between poses of one molecule: heavy atoms, not superposed, symmetry-corrected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.graph import skeleton
from moldiff.geometry.arrays import symmetric_rmsd

__all__ = ["pose_rmsd", "pose_rmsds"]

_MATCHES = 20_000  # symmetries looked at: the rare molecule with more gets an upper bound


def pose_rmsds(poses: Sequence[Chem.Mol], reference: Chem.Mol) -> npt.NDArray[np.float64] | None:
    """Return the RMSD in Å of each pose of a molecule; None if the reference is another molecule.

    Heavy atoms, without superposition, the least over the symmetries of the molecular graph.
    As in spyrmsd (R. Meli & P. C. Biggin, J. Cheminform. 12, 49 (2020)) the graph is that of
    elements and bonds, without their orders: both oxygens of an acid are alike.
    """
    graph, known = skeleton(poses[0]), skeleton(reference)
    matches: Sequence[Sequence[int]] = ()
    if graph.GetNumAtoms() == known.GetNumAtoms():
        matches = known.GetSubstructMatches(graph, uniquify=False, maxMatches=_MATCHES)
    if not matches:
        return None
    x = np.stack([_positions(pose) for pose in poses])
    return symmetric_rmsd(x, _positions(reference), np.array(matches))


def pose_rmsd(mol: Chem.Mol | None, reference: Chem.Mol) -> float | None:
    """Return the RMSD of one pose in Å, rounded to 0.01; None if the molecules differ."""
    if mol is None or not mol.GetNumConformers() or not reference.GetNumConformers():
        return None
    rmsds = pose_rmsds([mol], reference)
    return None if rmsds is None else round(float(rmsds[0]), 2)


def _positions(mol: Chem.Mol) -> npt.NDArray[np.float64]:
    """Heavy atoms (n, 3), Å."""
    heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    return np.asarray(mol.GetConformer().GetPositions()[heavy])
