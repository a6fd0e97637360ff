"""Molecules as graphs of PyTorch Geometric, for use with its networks and data loaders.

PyTorch Geometric is optional; it is imported only when a graph is requested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from moldiff.chem.decode import decode
from moldiff.chem.quiet import quiet

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.chem import Encoded, Vocabulary

__all__ = ["to_geometric"]


def to_geometric(mol: Chem.Mol | Encoded, vocabulary: Vocabulary | None = None) -> Any:
    """Return a molecule, or a record of a data set, as a ``torch_geometric.data.Data``.

    Parameters
    ----------
    mol:
        An RDKit molecule, or an entry of a `moldiff.data.store.Store`; left unchanged.
    vocabulary:
        The store's vocabulary; needed for its entries only.

    Returns
    -------
    torch_geometric.data.Data
        For n atoms and e bonds: ``z`` (n,) atomic numbers, ``charge`` (n,) formal charges,
        ``pos`` (n, 3) in Å (if there is a conformer), ``edge_index`` (2, 2 e) with each
        bond in both directions, ``edge_attr`` (2 e, 1) bond orders, 1 to 3 or 1.5.

    Raises
    ------
    ValueError
        If ``vocabulary`` is missing for an entry of a store.
    """
    from rdkit import Chem
    from torch_geometric.data import Data

    if not isinstance(mol, Chem.Mol):
        if vocabulary is None:
            raise ValueError("an entry of a store needs the store's vocabulary")
        with quiet():
            mol = decode(mol, vocabulary)
    atoms, bonds = list(mol.GetAtoms()), list(mol.GetBonds())
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds]
    edges = torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T
    orders = torch.tensor([bond.GetBondTypeAsDouble() for bond in bonds]).reshape(-1, 1)
    data = Data(
        z=torch.tensor([atom.GetAtomicNum() for atom in atoms], dtype=torch.int64),
        charge=torch.tensor([atom.GetFormalCharge() for atom in atoms], dtype=torch.int64),
        edge_index=torch.cat([edges, edges.flip(0)], 1),
        edge_attr=torch.cat([orders, orders]),
        num_nodes=len(atoms),
    )
    if mol.GetNumConformers():
        data.pos = torch.from_numpy(mol.GetConformer().GetPositions().astype(np.float32))
    return data
