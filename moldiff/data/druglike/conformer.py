"""One conformer of a molecule from its SMILES: ETKDGv3, MMFF94, and GFN2-xTB if wanted.

The seed is a hash of the SMILES, so a molecule has the same conformer wherever it stands and
whatever else is made.

Sources: ETKDGv3, S. Wang et al., J. Chem. Inf. Model. 60 (2020) 2044; MMFF94, T. A. Halgren,
J. Comput. Chem. 17 (1996) 490; GFN2-xTB, see `moldiff.chem.xtb`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from moldiff.chem import Rejected, quiet, xtb
from moldiff.interrupts import held

__all__ = ["Conformer", "conformer", "molecule", "refined"]

_ROUNDS, _STEPS = 5, 400  # of minimisation
_EMBEDDINGS = 30  # tries of one embedding
_LOST = "cannot be embedded"
_ENTANGLED = "entangled"  # a chain through a ring, which no minimisation undoes
_CHANCE = (_LOST, _ENTANGLED)  # what another seed may not meet
_TRIES = 3  # seeds
_STRETCHED = 1.11  # bond length over the sum of covalent radii; the longest sound ones have less
_FARTHEST = 32.0  # Å from the centroid, for 16 bits of milli-Å
_MILLI = 1000


@dataclass(frozen=True, eq=False)
class Conformer:
    """A molecule in 3D.

    Attributes
    ----------
    smiles:
        Isomeric, its stereochemistry assigned from the coordinates.
    xyz:
        (n, 3) int16, milli-Å about the centroid; the atoms are those of
        ``AddHs(MolFromSmiles(smiles))``, in that order.
    drop:
        Energy that refining has set free, kcal/mol; NaN without.
    """

    smiles: str
    xyz: npt.NDArray[np.int16]
    drop: float = float("nan")


def conformer(smiles: str) -> Conformer | Rejected:
    """Return the conformer of a molecule, minimised in MMFF94 to convergence, or why not."""
    with quiet(), held():
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        seed = int(hashlib.sha1(smiles.encode()).hexdigest()[:7], 16)
        reason = _LOST
        try:
            for number in range(_TRIES):
                failure = _embed(mol, seed + number) or _minimise(mol)
                if failure is None:
                    return _named(mol)
                reason = failure
                if reason not in _CHANCE:
                    break
        except (ValueError, RuntimeError) as error:
            reason = f"RDKit fails: {str(error).splitlines()[0]}"
    return Rejected(reason)


def refined(start: Conformer) -> Conformer | Rejected:
    """Return the conformer minimised in GFN2-xTB with its crude thresholds, or why not."""
    mol = molecule(start)
    minimum = xtb.optimise(mol, "crude")
    if isinstance(minimum, str):
        return Rejected(minimum)
    mol.GetConformer().SetPositions(minimum.positions)
    if _stretch(mol) > _STRETCHED:
        return Rejected("a bond breaks in GFN2-xTB")
    with quiet():
        return _named(mol, minimum.drop)


def molecule(start: Conformer) -> Chem.Mol:
    """Return the molecule with all hydrogens and its coordinates in Å."""
    with quiet():
        mol = Chem.AddHs(Chem.MolFromSmiles(start.smiles))
    place = Chem.Conformer(mol.GetNumAtoms())
    place.Set3D(True)
    place.SetPositions(start.xyz / _MILLI)
    mol.AddConformer(place)
    return mol


def _embed(mol: Chem.Mol, seed: int) -> str | None:
    """Embed in place; the reason if that fails."""
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.maxIterations = _EMBEDDINGS
    return _LOST if rdDistGeom.EmbedMolecule(mol, parameters) else None


def _minimise(mol: Chem.Mol) -> str | None:
    """Minimise in place; the reason if that fails."""
    # A copy, because what is given is changed to MMFF94's own aromaticity.
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(Chem.Mol(mol))
    if properties is None:
        return "no MMFF94 parameters"
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
    for _ in range(_ROUNDS):
        if field.Minimize(maxIts=_STEPS) == 0:
            return _ENTANGLED if _stretch(mol) > _STRETCHED else None
    return f"not converged in {_ROUNDS * _STEPS} steps of MMFF94"


def _stretch(mol: Chem.Mol) -> float:
    """Return the largest ratio of a bond's length to the sum of the covalent radii."""
    radii = _radii()[[atom.GetAtomicNum() for atom in mol.GetAtoms()]]
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()])
    positions = mol.GetConformer().GetPositions()[ends]
    lengths = np.linalg.norm(positions[:, 0] - positions[:, 1], axis=1)
    return float((lengths / radii[ends].sum(1)).max())


@cache
def _radii() -> npt.NDArray[np.float64]:
    table = Chem.GetPeriodicTable()
    return np.array([table.GetRcovalent(number) for number in range(119)])


def _named(mol: Chem.Mol, drop: float = float("nan")) -> Conformer | Rejected:
    """Return the conformer with its stereochemistry, in the order of atoms of its SMILES."""
    Chem.AssignStereochemistryFrom3D(mol)
    smiles = Chem.MolToSmiles(Chem.RemoveHs(mol))
    again = Chem.AddHs(Chem.MolFromSmiles(smiles))
    order = mol.GetSubstructMatch(again, useChirality=True) or mol.GetSubstructMatch(again)
    if len(order) != mol.GetNumAtoms():
        return Rejected("not the molecule of its SMILES")
    positions = mol.GetConformer().GetPositions()[list(order)]
    positions = positions - positions.mean(0)
    if np.abs(positions).max() > _FARTHEST:
        return Rejected("too long")
    return Conformer(str(smiles), np.round(_MILLI * positions).astype(np.int16), drop)
