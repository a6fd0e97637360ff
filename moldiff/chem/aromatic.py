"""Aromatic bonds as a class: from Kekulé structures, if they can be restored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moldiff.chem.decode import decode
from moldiff.chem.encoded import Encoded, Rejected, pair_indices
from moldiff.chem.validity import canonical_smiles, sanitised
from moldiff.chem.vocabulary import AROMATIC, Vocabulary

__all__ = ["aromatised"]


def aromatised(encoded: Encoded, vocabulary: Vocabulary) -> Encoded | Rejected:
    """Give the aromatic bonds of a kekulised molecule, as RDKit perceives them, their class.

    Parameters
    ----------
    encoded:
        A kekulised molecule, hydrogens folded.
    vocabulary:
        With aromatic bonds.
    """
    mol = decode(encoded, vocabulary)
    clean = sanitised(mol)
    if clean is None:
        return Rejected("cannot be sanitised")
    n = len(encoded.types)
    square = np.zeros((n, n), bool)
    for bond in clean.GetBonds():
        if bond.GetIsAromatic():
            i, j = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            square[i, j] = True
    bonds = np.where(square[pair_indices(n)], np.int8(AROMATIC), encoded.bonds)
    changed = replace(encoded, bonds=bonds)
    if square.any() and canonical_smiles(decode(changed, vocabulary)) != canonical_smiles(mol):
        return Rejected("aromatic bonds cannot be kekulised again")
    return changed
