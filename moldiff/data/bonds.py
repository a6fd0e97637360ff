"""Assign bonds to a geometry with a known SMILES (the rows of QM9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds

from moldiff.chem import canonical_smiles

__all__ = ["assign_bonds"]

# Ways to perceive connectivity, tried in this order until one fits the template: connect-the-dots,
# then covalent radii times a factor (1.3 is RDKit's default; strained cages need others).
_CONNECTIVITY: tuple[dict[str, bool | float], ...] = (
    {"useVdw": False},
    {"useVdw": True, "covFactor": 1.3},
    {"useVdw": True, "covFactor": 1.2},
    {"useVdw": True, "covFactor": 1.25},
    {"useVdw": True, "covFactor": 1.15},
    {"useVdw": True, "covFactor": 1.35},
    {"useVdw": True, "covFactor": 1.4},
)
# Limit of the search over bond orders, far above what QM9 needs.
_MAX_ITERATIONS = 100_000


def assign_bonds(
    symbols: Sequence[str], positions: npt.NDArray[np.float64], smiles: str
) -> Iterator[tuple[str, Chem.Mol | str]]:
    """Yield (route, molecule or reason for failure) per route, the most trusted first.

    Routes: "geometry" (rdDetermineBonds, agreeing with the SMILES), "template" (connectivity
    from the geometry, orders and charges from the SMILES), "geometry, not the SMILES".

    Parameters
    ----------
    positions:
        (n, 3), Å.
    """
    bare = _bare(symbols, positions)
    template = Chem.MolFromSmiles(smiles)
    perceived = _perceive(bare)
    expected = None if template is None else Chem.MolToSmiles(template, isomericSmiles=False)
    agrees = not isinstance(perceived, str) and canonical_smiles(perceived) == expected
    if agrees:
        yield "geometry", perceived
    if template is None:
        yield "template", f"the SMILES {smiles!r} cannot be read"
    else:
        yield "template", _fit(bare, template)
    if not agrees:
        yield "geometry, not the SMILES", perceived


def _bare(symbols: Sequence[str], positions: npt.NDArray[np.float64]) -> Chem.RWMol:
    mol = Chem.RWMol()
    for symbol in symbols:
        atom = Chem.Atom(symbol)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    conformer = Chem.Conformer(len(symbols))
    conformer.SetPositions(np.ascontiguousarray(positions, dtype=np.float64))
    mol.AddConformer(conformer)
    return mol


def _perceive(bare: Chem.RWMol) -> Chem.Mol | str:
    mol = Chem.RWMol(bare)
    try:
        rdDetermineBonds.DetermineBonds(
            mol, charge=0, embedChiral=False, maxIterations=_MAX_ITERATIONS
        )
    except (ValueError, RuntimeError) as error:
        return str(error).splitlines()[0]
    return mol.GetMol()


def _fit(bare: Chem.RWMol, template: Chem.Mol) -> Chem.Mol | str:
    """Transfer the template's bond orders and charges to the geometry if the graphs agree."""
    full = Chem.AddHs(template)
    Chem.Kekulize(full, clearAromaticFlags=True)
    pattern = _skeleton(full)
    if pattern.GetNumAtoms() != bare.GetNumAtoms():
        return f"the SMILES has {pattern.GetNumAtoms()} atoms, the geometry {bare.GetNumAtoms()}"
    counts = []
    for options in _CONNECTIVITY:
        mol = Chem.RWMol(bare)
        rdDetermineBonds.DetermineConnectivity(mol, **options)
        counts.append(mol.GetNumBonds())
        if mol.GetNumBonds() != pattern.GetNumBonds():
            continue
        match = _skeleton(mol).GetSubstructMatch(pattern)
        if match:
            return _transfer(bare, full, match)
    return f"the SMILES has {pattern.GetNumBonds()} bonds, the geometry {_span(counts)}"


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _skeleton(mol: Chem.Mol) -> Chem.Mol:
    """Reduce a molecule to elements and connectivity, for matching the two graphs."""
    skeleton = Chem.RWMol()
    for atom in mol.GetAtoms():
        skeleton.AddAtom(Chem.Atom(atom.GetAtomicNum()))
    for bond in mol.GetBonds():
        skeleton.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    return skeleton.GetMol()


def _transfer(bare: Chem.RWMol, full: Chem.Mol, match: Sequence[int]) -> Chem.Mol:
    mol = Chem.RWMol(bare)
    for atom in full.GetAtoms():
        mol.GetAtomWithIdx(match[atom.GetIdx()]).SetFormalCharge(atom.GetFormalCharge())
    for bond in full.GetBonds():
        i, j = match[bond.GetBeginAtomIdx()], match[bond.GetEndAtomIdx()]
        mol.AddBond(i, j, bond.GetBondType())
    return mol.GetMol()
