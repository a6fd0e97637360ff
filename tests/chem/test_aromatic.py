"""Aromatic bonds as a class: they come back as the Kekulé structures they were made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem import Vocabulary, canonical_smiles, decode, encode, strict_failure
from moldiff.chem.encoded import Encoded
from moldiff.chem.vocabulary import AROMATIC
from moldiff.errors import ConfigError

ELEMENTS = ("C", "N", "O", "S")
KINDS = [(e, h) for e in ELEMENTS for h in range(4)]
VOCABULARY = Vocabulary(
    tuple(e for e, _ in KINDS), (-1, 0, 1), tuple(h for _, h in KINDS), aromatic=True
)
# Benzene, pyridine, pyrrole, imidazole, indole, furan, thiophene, azulene, pyridone, pyridinium,
# a tetrazole, a fused system with a nitrogen at the fusion, and two that have no aromatic ring.
SMILES = [
    "c1ccccc1", "c1ccncc1", "c1cc[nH]c1", "c1c[nH]cn1", "c1ccc2[nH]ccc2c1", "c1ccoc1", "c1ccsc1",
    "c1ccc2cccc-2cc1", "O=c1cc[nH]cc1", "c1cc[nH+]cc1", "c1nnn[nH]1", "c1ccn2cccc2c1",
    "C1=CCCCC1", "CC(N)=O",
]  # fmt: skip


def molecule(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    return mol


def arrays(smiles: str) -> Encoded:
    encoded = encode(molecule(smiles), VOCABULARY)
    assert isinstance(encoded, Encoded)
    return encoded


@pytest.mark.parametrize("smiles", SMILES)
def test_a_molecule_comes_back(smiles: str) -> None:
    encoded, mol = arrays(smiles), molecule(smiles)
    decoded = decode(encoded, VOCABULARY)
    assert strict_failure(decoded, net_charge=None) is None
    assert canonical_smiles(decoded) == canonical_smiles(mol)
    assert not any(bond.GetIsAromatic() for bond in decoded.GetBonds())  # kekulised
    aromatic = sum(b.GetIsAromatic() for b in Chem.MolFromSmiles(smiles).GetBonds())
    assert (encoded.bonds == AROMATIC).sum() == aromatic


def test_bonds_of_a_ring_are_alike() -> None:
    assert set(arrays("c1ccccc1").bonds.tolist()) == {0, AROMATIC}


def test_what_cannot_be_kekulised_is_invalid() -> None:
    five = arrays("c1cc[nH]c1")
    pyridine = VOCABULARY.kinds.index(("N", 0))
    types = np.where(five.types == VOCABULARY.kinds.index(("N", 1)), pyridine, five.types)
    bare = decode(replace(five, types=types.astype(np.int8)), VOCABULARY)
    assert strict_failure(bare) == "cannot be kekulised"
    chain = np.where(arrays("CC(N)=O").bonds > 0, AROMATIC, 0).astype(np.int8)
    assert strict_failure(decode(replace(arrays("CC(N)=O"), bonds=chain), VOCABULARY)) is not None


def test_the_vocabulary() -> None:
    assert VOCABULARY.classes["bonds"] == 5
    assert VOCABULARY.bonds[AROMATIC] == "aromatic"
    assert Vocabulary.from_dict(VOCABULARY.to_dict()) == VOCABULARY
    assert "aromatic" not in replace(VOCABULARY, aromatic=False).to_dict()
    assert not VOCABULARY.explicit.aromatic
    with pytest.raises(ConfigError, match="no folded hydrogens"):
        Vocabulary(("H", "C"), (0,), aromatic=True)
