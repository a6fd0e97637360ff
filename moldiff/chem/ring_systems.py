"""The ring systems of a molecule: what is left if everything but the rings is cut off.

Rings that share an atom are one system: fused, bridged and spiro ones.  What an atom of the system
binds outside of it is replaced by hydrogen, so that N-methylpyrrole and pyrrole have one system;
only doubly bonded neighbours stay, as ``*``, because they belong to the electronic structure of
the ring: cyclohexanone and its imine are ``*=C1CCCCC1``.  Charges of ring atoms and aromaticity
are the molecule's; stereochemistry and isotopes are forgotten.
"""

from __future__ import annotations

from rdkit import Chem

from moldiff.chem.quiet import quiet

__all__ = ["ring_systems"]


def ring_systems(mol: Chem.Mol) -> frozenset[str]:
    """Return the canonical SMILES of the distinct ring systems of a sanitised molecule.

    Aromaticity is that of the molecule.  Explicit and implicit hydrogens count the same.
    """
    with quiet():
        return frozenset(_smiles(mol, system) for system in _systems(mol))


def _systems(mol: Chem.Mol) -> list[set[int]]:
    """Atoms of each system: the pieces that bonds in rings hold together."""
    systems: list[set[int]] = []
    for bond in mol.GetBonds():
        if bond.IsInRing():
            ends = {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}
            touched = [system for system in systems if system & ends]
            systems = [system for system in systems if not system & ends]
            systems.append(ends.union(*touched))
    return systems


def _smiles(mol: Chem.Mol, system: set[int]) -> str:
    """SMILES of a system, built of new atoms, which remember nothing else of the molecule."""
    new = Chem.RWMol()
    places = {index: new.AddAtom(_atom(mol.GetAtomWithIdx(index))) for index in sorted(system)}
    for bond in mol.GetBonds():
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        inside = [index for index in (begin, end) if index in system]
        # A bond between two atoms of a system is in a ring: else its ends would be two systems.
        if len(inside) == 2:
            new.AddBond(places[begin], places[end], bond.GetBondType())
            copied = new.GetBondBetweenAtoms(places[begin], places[end])
            copied.SetIsAromatic(bond.GetIsAromatic())
        elif len(inside) == 1 and bond.GetBondType() == Chem.BondType.DOUBLE:
            new.AddBond(places[inside[0]], new.AddAtom(Chem.Atom(0)), Chem.BondType.DOUBLE)
        elif len(inside) == 1:
            lost = new.GetAtomWithIdx(places[inside[0]])
            lost.SetNumExplicitHs(lost.GetNumExplicitHs() + round(bond.GetBondTypeAsDouble()))
    system_alone = new.GetMol()
    system_alone.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(system_alone)
    return str(Chem.MolToSmiles(system_alone))


def _atom(atom: Chem.Atom) -> Chem.Atom:
    """Copy element, charge, aromaticity and those hydrogens that are no atoms of their own."""
    new = Chem.Atom(atom.GetAtomicNum())
    new.SetFormalCharge(atom.GetFormalCharge())
    new.SetIsAromatic(atom.GetIsAromatic())
    new.SetNoImplicit(True)
    new.SetNumExplicitHs(atom.GetTotalNumHs())
    return new
