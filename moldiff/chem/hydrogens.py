"""Hydrogens put onto a skeleton of heavy atoms: where geometry says, then where MMFF94 says.

RDKit's ideal directions by hybridisation and neighbours; what they leave open (the torsion of a
methyl group or a hydroxyl) is arbitrary until the hydrogens are relaxed.  MMFF94: Halgren,
J. Comput. Chem. 17 (1996) 490.
"""

from __future__ import annotations

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised

__all__ = ["hydrogens_last", "place_hydrogens", "relax_hydrogens"]


def place_hydrogens(mol: Chem.Mol) -> Chem.Mol:
    """Make the explicit hydrogens that atoms carry (``GetNumExplicitHs``) into atoms.

    Returns
    -------
    Chem.Mol
        Unsanitised, the given atoms first and where they were (Å), ``NoImplicit`` on all.  Never
        fails on chemically absurd input.
    """
    finite = all(np.isfinite(c.GetPositions()).all() for c in mol.GetConformers())
    with quiet():
        copy = Chem.RWMol(mol)
        copy.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(copy)
        # The directions depend on it: an amide's NH2 is planar, an amine's is not.
        Chem.SetConjugation(copy)
        Chem.SetHybridization(copy)
        full = Chem.AddHs(copy, explicitOnly=True, addCoords=finite)
    full.ClearComputedProps()
    for atom in full.GetAtoms():
        atom.SetNoImplicit(True)
    return full


def relax_hydrogens(mol: Chem.Mol, steps: int = 200) -> Chem.Mol:
    """Return a copy whose hydrogens are relaxed with MMFF94 while all other atoms stay.

    Unchanged where the molecule cannot be sanitised or MMFF94 does not know its atoms; at most
    ``steps`` iterations.
    """
    result, clean = Chem.Mol(mol), sanitised(mol)
    if clean is None:
        return result
    with quiet():
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(clean)
        if properties is None:
            return result
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(clean, properties)
        field.Initialize()
        for atom in clean.GetAtoms():
            if atom.GetAtomicNum() > 1:
                field.AddFixedPoint(atom.GetIdx())
        field.Minimize(maxIts=steps)
    relaxed = clean.GetConformer().GetPositions()
    if np.isfinite(relaxed).all():
        result.GetConformer().SetPositions(relaxed)
    return result


def hydrogens_last(mol: Chem.Mol) -> Chem.Mol:
    """Return the molecule with its atoms numbered as chemists write them: hydrogens last."""
    hydrogen = [atom.GetAtomicNum() == 1 for atom in mol.GetAtoms()]
    return Chem.RenumberAtoms(mol, sorted(range(len(hydrogen)), key=hydrogen.__getitem__))
