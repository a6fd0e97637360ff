"""A tiny untrained model that completes parts, and parts in poses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem.vocabulary import Vocabulary
from moldiff.model import Model

KINDS = {"C": (0, 1, 2, 3), "N": (0, 1, 2, 3), "O": (0, 1), "F": (0,), "S": (0, 1), "Cl": (0,)}
VOCABULARY = Vocabulary(
    tuple(symbol for symbol, counts in KINDS.items() for _ in counts),
    (-1, 0, 1),
    tuple(count for counts in KINDS.values() for count in counts),
)


@pytest.fixture(scope="session")
def model() -> Model:
    """What it keeps, it keeps by construction: its weights are random."""
    noise = {"types": VOCABULARY.classes["types"], "charges": 3, "bonds": 4}
    jumps = {
        name: {
            "name": "jump",
            "schedule": "rectified",
            "space": {"name": "categorical", "probabilities": [1 / k] * k},
        }
        for name, k in noise.items()
    }
    positions = {"name": "gaussian", "schedule": "cosine", "space": "zero_com", "scale": 2.0}
    model = Model.from_config(
        {
            "process": {"positions": positions, **jumps},
            "precondition": "karras",
            "network": {
                "name": "transformer",
                "width": 16,
                "layers": 1,
                "heads": 2,
                "channels": 2,
            },
            "domain": {
                "name": "molecules",
                "vocabulary": VOCABULARY.to_dict(),
                "sizes": {str(n): 1 / 20 for n in range(5, 25)},
                "parts": True,
            },
            "sampling": {"steps": 4},
        }
    )
    model.network.eval().requires_grad_(False)
    return model


@pytest.fixture(scope="session")
def posed() -> Callable[..., Chem.Mol]:
    """A molecule with hydrogens in a pose away from the origin, with four decimals as in a file."""

    def make(smiles: str, shift: float = 20.0) -> Chem.Mol:
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        AllChem.EmbedMolecule(mol, randomSeed=7)
        x = mol.GetConformer().GetPositions()[:, [2, 0, 1]] + [shift, -shift, 3.0]
        mol.GetConformer().SetPositions(np.ascontiguousarray(np.round(x, 4)))
        return mol

    return make
