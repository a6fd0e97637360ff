"""Hand-made molecules: good ones, and one for each way to fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.io import Record, read_molecules
from tests.molecules import embedded

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


def embed(smiles: str) -> Chem.Mol:
    """A relaxed molecule from SMILES, kekulised, with its hydrogens and NoImplicit."""
    mol = embedded(smiles, seed=11)
    AllChem.MMFFOptimizeMolecule(mol, maxIters=2000)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    for atom in mol.GetAtoms():
        atom.SetNoImplicit(True)
    return mol


def without_last_atom(mol: Chem.Mol) -> Chem.Mol:
    copy = Chem.RWMol(mol)
    copy.RemoveAtom(copy.GetNumAtoms() - 1)
    return copy.GetMol()


def _not_finite() -> Chem.Mol:
    mol = embed("CO")
    mol.GetConformer().SetAtomPosition(1, (math.nan, 0.0, 0.0))
    return mol


def _two_fragments() -> Chem.Mol:
    mol = embed("C")
    other = embed("O")
    conformer = other.GetConformer()
    for k in range(other.GetNumAtoms()):
        x, y, z = conformer.GetAtomPosition(k)
        conformer.SetAtomPosition(k, (x + 6.0, y, z))
    return Chem.CombineMols(mol, other)


def _five_valent() -> Chem.Mol:
    mol = Chem.RWMol(embed("CC"))
    mol.GetBondBetweenAtoms(0, 1).SetBondType(Chem.BondType.DOUBLE)
    return mol.GetMol()


HAND_MADE: dict[str, Callable[[], Chem.Mol | None]] = {
    "methane": lambda: embed("C"),
    "ethanol": lambda: embed("CCO"),
    "benzene": lambda: embed("c1ccccc1"),
    "nitro": lambda: embed("C[N+](=O)[O-]"),
    "ammonium": lambda: embed("C[NH3+]"),
    "two fragments": _two_fragments,
    "missing hydrogen": lambda: without_last_atom(embed("CCO")),
    "methyl radical": lambda: without_last_atom(embed("C")),
    "not finite": _not_finite,
    "five-valent": _five_valent,
    "chlorine": lambda: embed("CCl"),
    "empty": Chem.Mol,
    "nothing": lambda: None,
}


@pytest.fixture(scope="session")
def hand_made() -> dict[str, Chem.Mol | None]:
    return {name: make() for name, make in HAND_MADE.items()}


@pytest.fixture(scope="session")
def qm9() -> list[Record]:
    """The real molecules that come with the data set's card."""
    return list(read_molecules(SAMPLE))
