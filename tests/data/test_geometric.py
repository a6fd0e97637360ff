"""Molecules as graphs of PyTorch Geometric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.chem import Vocabulary, encode
from moldiff.data.geometric import to_geometric

torch_geometric = pytest.importorskip("torch_geometric")

BLOCK = """acetate
  moldiff          3D

  7  6  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5200    0.0000    0.0000 C   0  0
    2.1500    1.0800    0.0000 O   0  0
    2.1500   -1.0800    0.1000 O   0  5
   -0.3600    1.0200    0.0000 H   0  0
   -0.3600   -0.5100    0.8900 H   0  0
   -0.3600   -0.5100   -0.8900 H   0  0
  1  2  1  0
  2  3  2  0
  2  4  1  0
  1  5  1  0
  1  6  1  0
  1  7  1  0
M  CHG  1   4  -1
M  END
"""


def bonds(graph: Any) -> dict[tuple[int, ...], list[float]]:
    """Order of each bond by its two atoms, in both directions."""
    ends = [tuple(pair) for pair in graph.edge_index.T.tolist()]
    return dict(zip(ends, graph.edge_attr.tolist(), strict=True))


def test_a_molecule_and_its_record_are_the_same_graph() -> None:
    mol = Chem.MolFromMolBlock(BLOCK, removeHs=False)
    graph = to_geometric(mol)
    assert graph.z.tolist() == [6, 6, 8, 8, 1, 1, 1]
    assert graph.charge.tolist() == [0, 0, 0, -1, 0, 0, 0]
    np.testing.assert_allclose(graph.pos, mol.GetConformer().GetPositions(), atol=1e-5)
    assert graph.num_nodes == 7 and graph.edge_index.shape == (2, 12) and graph.is_undirected()
    orders = bonds(graph)
    assert orders[1, 2] == orders[2, 1] == [2.0] and orders[1, 3] == [1.0]
    vocabulary = Vocabulary(("H", "C", "O"), (-1, 0))
    again = to_geometric(encode(mol, vocabulary), vocabulary)
    for name in ("z", "charge", "pos"):
        torch.testing.assert_close(again[name], graph[name])
    assert bonds(again) == orders


def test_graphs_without_bonds_or_coordinates_batch() -> None:
    from torch_geometric.data import Batch

    graphs = [to_geometric(Chem.MolFromSmiles(smiles)) for smiles in ("[He]", "CC", "c1ccccc1")]
    assert graphs[0].edge_index.shape == (2, 0) and "pos" not in graphs[0]
    assert graphs[2].edge_attr.unique().tolist() == [1.5]
    batch = Batch.from_data_list(graphs)
    assert batch.num_graphs == 3 and batch.z.tolist() == [2, 6, 6, 6, 6, 6, 6, 6, 6]


def test_a_record_needs_its_vocabulary() -> None:
    mol = Chem.MolFromMolBlock(BLOCK, removeHs=False)
    with pytest.raises(ValueError, match="vocabulary"):
        to_geometric(encode(mol, Vocabulary(("H", "C", "O"), (-1, 0))))
