"""Molecules from SMILES."""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem import rdDistGeom


def embedded(smiles: str, seed: int = 7) -> Chem.Mol:
    """A molecule with explicit hydrogens and one conformer."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=seed) == 0
    return mol
