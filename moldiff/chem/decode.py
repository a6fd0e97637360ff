"""From arrays back to an RDKit molecule: ``Encoded -> Chem.Mol``.

The molecule says exactly what the arrays say and nothing more: no sanitisation, no implicit
hydrogens, no perceived aromaticity.  Whether that is a valid molecule is the question of
`moldiff.chem.validity`.  Where the vocabulary folds hydrogens into its classes, they become
atoms again, in the places `moldiff.chem.hydrogens` finds for them.
"""

from __future__ import annotations

import numpy as np
from rdkit import Chem

from moldiff.chem.encode import Encoded, pair_indices
from moldiff.chem.hydrogens import place_hydrogens
from moldiff.chem.vocabulary import BOND_TYPES, Vocabulary

__all__ = ["decode"]


def decode(encoded: Encoded, vocabulary: Vocabulary) -> Chem.Mol:
    """Build the unsanitised molecule with one conformer (Å) and ``NoImplicit`` on all atoms.

    Atom i of the molecule is row i of the arrays, hydrogens the vocabulary folds follow; bonds are
    kekulised.  Never fails on chemically absurd input; class indices outside the vocabulary
    raise ``IndexError``.
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
        mol.AddBond(int(rows[e]), int(columns[e]), BOND_TYPES[int(encoded.bonds[e])])
    conformer = Chem.Conformer(n)
    conformer.Set3D(True)
    if n > 0:
        conformer.SetPositions(np.ascontiguousarray(encoded.positions, dtype=np.float64))
    mol.AddConformer(conformer, assignId=True)
    return place_hydrogens(mol) if vocabulary.hydrogens else mol.GetMol()
