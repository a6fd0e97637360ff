"""Hydrogens put onto a skeleton of heavy atoms: by geometry, then by a force field.

RDKit's ideal directions by hybridisation and neighbours; what they leave open (the torsion of a
methyl group or a hydroxyl) is arbitrary until the hydrogens are relaxed.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from rdkit import Chem

from moldiff.chem.force_field import force_field
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.interrupts import held

__all__ = ["hydrogens_last", "place_hydrogens", "relax", "relax_hydrogens"]


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


def relax_hydrogens(
    mol: Chem.Mol, steps: int = 200, permittivity: float = 1.0, fixed: Collection[int] = ()
) -> Chem.Mol:
    """Return a copy whose hydrogens are relaxed in its force field while all other atoms stay.

    Hydrogens that are ``fixed`` (indices) stay as well; otherwise as `relax`.
    """
    heavy = {atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1}
    return relax(mol, heavy | set(fixed), steps, permittivity)


def relax(
    mol: Chem.Mol, still: Collection[int], steps: int = 200, permittivity: float = 1.0
) -> Chem.Mol:
    """Return a copy relaxed in its force field while some atoms (indices) stay, to the last bit.

    Unchanged where the molecule cannot be sanitised, no force field knows its atoms, or its
    geometry is beyond minimising; at most ``steps`` iterations.  Stereocentres are safe: the
    barrier is far above what a minimisation climbs.
    """
    result, clean = Chem.Mol(mol), sanitised(mol)
    if clean is None or len(set(still)) == clean.GetNumAtoms():
        return result
    with quiet(), held():
        build = force_field(clean, permittivity)
        if build is None:
            return result
        field = build(clean.GetConformer().GetId())
        field.Initialize()
        for index in sorted(still):
            field.AddFixedPoint(index)
        try:
            field.Minimize(maxIts=steps)
        except RuntimeError:  # RDKit's line search gives up on absurd geometries
            return result
    relaxed = clean.GetConformer().GetPositions()
    before = result.GetConformer().GetPositions()
    relaxed[sorted(still)] = before[sorted(still)]
    if np.isfinite(relaxed).all():
        result.GetConformer().SetPositions(relaxed)
    return result


def hydrogens_last(mol: Chem.Mol) -> Chem.Mol:
    """Return the molecule with its atoms numbered as chemists write them: hydrogens last."""
    hydrogen = [atom.GetAtomicNum() == 1 for atom in mol.GetAtoms()]
    return Chem.RenumberAtoms(mol, sorted(range(len(hydrogen)), key=hydrogen.__getitem__))
