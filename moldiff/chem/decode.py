"""From arrays back to an RDKit molecule: ``Encoded -> Chem.Mol``.

The molecule says exactly what the arrays say and nothing more: no sanitisation, no implicit
hydrogens, no perceived aromaticity.  Whether that is a valid molecule is the question of
`moldiff.chem.validity`.  Where the vocabulary folds hydrogens into its classes, they become
atoms again, in the places `moldiff.chem.hydrogens` finds for them.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from rdkit import Chem

from moldiff.chem.encoded import Encoded, pair_indices
from moldiff.chem.hydrogens import place_hydrogens
from moldiff.chem.quiet import quiet
from moldiff.chem.vocabulary import AROMATIC, BOND_TYPES, Vocabulary

__all__ = ["decode"]


def decode(encoded: Encoded, vocabulary: Vocabulary) -> Chem.Mol:
    """Build the unsanitised molecule with one conformer (Å) and ``NoImplicit`` on all atoms.

    Atom i of the molecule is row i of the arrays, hydrogens the vocabulary folds follow; bonds are
    kekulised; aromatic ones stay so where no Kekulé structure fits the hydrogens, and the
    molecule is then invalid.  Never fails on chemically absurd input; class indices outside the
    vocabulary raise ``IndexError``.
    """
    mol, kinds = Chem.RWMol(), vocabulary.kinds
    for kind, state in zip(encoded.types.tolist(), encoded.charges.tolist(), strict=True):
        symbol, hydrogens = kinds[kind]
        atom = Chem.Atom(symbol)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetFormalCharge(vocabulary.charges[state])
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    n = mol.GetNumAtoms()
    rows, columns = pair_indices(n)
    (bonded,) = np.nonzero(encoded.bonds)
    for e in bonded.tolist():
        order, ends = int(encoded.bonds[e]), (int(rows[e]), int(columns[e]))
        if order == AROMATIC and vocabulary.aromatic:
            mol.AddBond(*ends, Chem.BondType.AROMATIC)
            for part in (mol.GetBondBetweenAtoms(*ends), *map(mol.GetAtomWithIdx, ends)):
                part.SetIsAromatic(True)
        else:
            mol.AddBond(*ends, BOND_TYPES[order])
    if vocabulary.aromatic:
        _kekulise(mol)
    conformer = Chem.Conformer(n)
    conformer.Set3D(True)
    if n > 0:
        conformer.SetPositions(np.ascontiguousarray(encoded.positions, dtype=np.float64))
    mol.AddConformer(conformer, assignId=True)
    return place_hydrogens(mol) if vocabulary.hydrogens else mol.GetMol()


def _kekulise(mol: Chem.RWMol) -> None:
    """Kekulise in place if possible; the hydrogens stay."""
    hydrogens = [atom.GetNumExplicitHs() for atom in mol.GetAtoms()]
    with quiet():
        mol.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(mol)
        with suppress(Chem.KekulizeException, Chem.AtomKekulizeException):  # then unchanged
            Chem.Kekulize(mol, clearAromaticFlags=True)
            for atom, count in zip(mol.GetAtoms(), hydrogens, strict=True):
                atom.SetNumExplicitHs(count)  # pyrrole's would have become implicit
                atom.SetNoImplicit(True)
        mol.ClearComputedProps()
