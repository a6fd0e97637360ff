"""From an RDKit molecule to the arrays a model learns: ``Chem.Mol -> Encoded``.

Bonds are kekulised (none, single, double, triple), or aromatic ones have a class of their own,
which needs hydrogens folded into the atoms: otherwise those of hetero-aromatic rings would be
ambiguous.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.aromatic import aromatised
from moldiff.chem.coordinates import is_drawing
from moldiff.chem.encoded import Encoded, Rejected, pair_indices
from moldiff.chem.quiet import quiet
from moldiff.chem.vocabulary import BOND_INDEX, Vocabulary

__all__ = ["encode", "fold"]


def encode(mol: Chem.Mol, vocabulary: Vocabulary) -> Encoded | Rejected:
    """Encode a molecule with explicit hydrogens and a three-dimensional conformer.

    The input is never changed; whatever cannot be written in the vocabulary comes back
    as `Rejected` with the reason, never as an exception.
    """
    with quiet():
        copy = Chem.RWMol(mol)
        reason = _prepare(copy)
        if reason is not None:
            return Rejected(reason)
        positions = copy.GetConformer().GetPositions()
        reason = _geometry_problem(copy, positions)
        if reason is not None:
            return Rejected(reason)
        arrays = _arrays(copy, positions, vocabulary.explicit)
    if isinstance(arrays, Rejected):
        return arrays
    folded = fold(arrays, vocabulary)
    if not vocabulary.aromatic or isinstance(folded, Rejected):
        return folded
    return aromatised(folded, vocabulary)


def fold(encoded: Encoded, vocabulary: Vocabulary) -> Encoded | Rejected:
    """Fold the hydrogens of a molecule, encoded in ``vocabulary.explicit``, into its classes.

    The arrays themselves where the vocabulary folds none.
    """
    if not vocabulary.hydrogens:
        return encoded
    explicit = vocabulary.explicit
    hydrogen = encoded.types == explicit.elements.index("H")
    n = len(hydrogen)
    square = np.zeros((n, n), np.int8)
    square[pair_indices(n)] = encoded.bonds
    carried = (square + square.T)[~hydrogen][:, hydrogen]
    single = (carried.sum(0) == 1).all() and not square[hydrogen][:, hydrogen].any()
    if not single or (encoded.charges[hydrogen] != explicit.charges.index(0)).any():
        return Rejected("hydrogen without its one heavy atom")
    kinds = {kind: k for k, kind in enumerate(vocabulary.kinds)}
    types = []
    for k, count in zip(encoded.types[~hydrogen].tolist(), carried.sum(1).tolist(), strict=True):
        if (explicit.elements[k], count) not in kinds:
            return Rejected(f"{explicit.elements[k]} with {count} hydrogens is no class")
        types.append(kinds[explicit.elements[k], count])
    bonds = square[~hydrogen][:, ~hydrogen][pair_indices(len(types))]
    return Encoded(
        encoded.positions[~hydrogen], np.array(types, np.int8), encoded.charges[~hydrogen], bonds
    )


def _prepare(mol: Chem.RWMol) -> str | None:
    """Kekulise in place and look for what cannot be encoded at all."""
    if mol.GetNumAtoms() == 0:
        return "empty"
    if mol.GetNumConformers() == 0:
        return "no coordinates"
    if any(bond.GetIsAromatic() for bond in mol.GetBonds()):
        try:
            Chem.Kekulize(mol, clearAromaticFlags=True)
        except Chem.KekulizeException:
            return "cannot be kekulised"
    for bond in mol.GetBonds():
        if bond.GetBondType() not in BOND_INDEX:
            return f"bond type {bond.GetBondType().name.lower()}"
    mol.UpdatePropertyCache(strict=False)
    for atom in mol.GetAtoms():
        if atom.GetTotalNumHs() > 0:
            return f"missing hydrogens on {atom.GetSymbol()}{atom.GetIdx() + 1}"
    return None


def _geometry_problem(mol: Chem.Mol, positions: npt.NDArray[np.float64]) -> str | None:
    if not np.isfinite(positions).all():
        return "non-finite coordinates"
    if is_drawing(mol):
        return "two-dimensional coordinates"
    return None


def _arrays(
    mol: Chem.Mol, positions: npt.NDArray[np.float64], vocabulary: Vocabulary
) -> Encoded | Rejected:
    elements = {symbol: k for k, symbol in enumerate(vocabulary.elements)}
    states = {charge: k for k, charge in enumerate(vocabulary.charges)}
    n = mol.GetNumAtoms()
    types, charges = np.empty(n, np.int8), np.empty(n, np.int8)
    for i, atom in enumerate(mol.GetAtoms()):
        symbol, charge = atom.GetSymbol(), atom.GetFormalCharge()
        if symbol not in elements:
            return Rejected(f"element {symbol} is not in the vocabulary")
        if charge not in states:
            return Rejected(f"charge {charge:+d} is not in the vocabulary")
        types[i], charges[i] = elements[symbol], states[charge]
    square = np.zeros((n, n), np.int8)
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        square[min(i, j), max(i, j)] = BOND_INDEX[bond.GetBondType()]
    return Encoded(positions.astype(np.float32), types, charges, square[pair_indices(n)])
