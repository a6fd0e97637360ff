"""Poses of the heavy atoms as molecules with all their hydrogens.

Searches move heavy atoms only.  Here the same motions are applied to every atom of the
conformer, so a hydrogen follows the heavy atom it is bonded to.  Hydrogens can clash, since methyls
and hydroxyls do not turn; `relax` resolves such clashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from rdkit import Chem

from moldiff.chem.conformers import with_positions
from moldiff.chem.force_field import WATER
from moldiff.chem.hydrogens import relax_hydrogens
from moldiff.domain.kinematics import Kinematics

if TYPE_CHECKING:
    from moldiff.chem.conformers import Ensemble
    from moldiff.chem.rotors import Rotors
    from moldiff.domain.kinematics import Pose

__all__ = ["molecules", "place_all", "relax"]

_ITERATIONS = 100


def place_all(ensemble: Ensemble, rotors: Rotors, pose: Pose) -> npt.NDArray[np.float64]:
    """Return the positions (p, N, 3) in Å of all N atoms of the ensemble's molecule.

    The heavy atoms have the positions that ``Kinematics.place`` returns.
    """
    mol, heavy = ensemble.mol, np.asarray(ensemble.heavy, dtype=np.int64)
    carrier = _carriers(mol, heavy)
    everything = np.stack([conformer.GetPositions() for conformer in mol.GetConformers()])
    whole = Kinematics(
        torch.from_numpy(everything),
        torch.as_tensor(heavy[np.asarray(rotors.axis, dtype=np.int64)]).reshape(-1, 2),
        torch.as_tensor(np.asarray(rotors.moves, dtype=bool)[:, carrier]),
    )
    double = pose.replace(
        centre=pose.centre.double(),
        rotation=pose.rotation.double(),
        torsions=pose.torsions.double(),
    )
    x = whole.place(double)
    # Kinematics centres all atoms; a pose's centre is the centroid of the heavy ones.
    shift = double.centre - x[:, torch.from_numpy(heavy)].mean(1)
    return np.asarray((x + shift[:, None]).numpy())


def molecules(ensemble: Ensemble, rotors: Rotors, pose: Pose) -> list[Chem.Mol]:
    """Return each pose as a copy of the ensemble's molecule with one conformer."""
    return [with_positions(ensemble.mol, x) for x in place_all(ensemble, rotors, pose)]


def relax(mol: Chem.Mol) -> Chem.Mol:
    """Return a copy of a pose with relaxed hydrogens and fixed heavy atoms."""
    return relax_hydrogens(mol, _ITERATIONS, WATER)


def _carriers(mol: Chem.Mol, heavy: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Row, among the heavy atoms, of the atom with which each of the N atoms moves."""
    place = {int(index): k for k, index in enumerate(heavy)}
    carrier = np.zeros(mol.GetNumAtoms(), dtype=np.int64)
    for atom in mol.GetAtoms():
        index = atom.GetIdx()
        if index not in place:
            index = next(n.GetIdx() for n in atom.GetNeighbors() if n.GetIdx() in place)
        carrier[atom.GetIdx()] = place[index]
    return carrier
