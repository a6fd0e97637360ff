"""Bonds, their orders and formal charges, from elements and coordinates alone.

RDKit's `rdDetermineBonds` (J. H. Jensen's xyz2mol, after Y. Kim and W. Y. Kim, Bull. Korean Chem.
Soc. 36, 1769, 2015): atoms are joined within a multiple of the sum of their covalent radii, and
orders and charges are those that add up to the charge of the whole.  What that leaves undone is
done here: another multiple where the first gives no molecule, and charges that cancel along a
conjugated path.  Only closed shells are looked for.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds

from moldiff.chem.coordinates import geometry_failure
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import strict_failure

__all__ = ["infer_bonds"]

_NONE = "bonds cannot be inferred"
# Multiples of the sum of covalent radii within which atoms are bonded, the most trusted first:
# across strained cages atoms that are not bonded come closer, stretched bonds are longer.
_FACTORS = (1.2, 1.15, 1.3)
# Bond orders of a hopeless geometry are a combinatorial search; real molecules need a few dozen.
_MAX_ITERATIONS = 5000
_CHARGES = (0, 1, -1, 2, -2)  # tried in this order where any will do
_AT_MOST = {Chem.BondType.DOUBLE: 1.47, Chem.BondType.TRIPLE: 1.3}  # Å, of C, N, O and F
_LONGEST = 12  # bonds of a conjugated path along which charges may cancel


def infer_bonds(mol: Chem.Mol, charge: int | None = 0) -> Chem.Mol | str:
    """Return a kekulised copy of bare atoms with bonds and charges, or the reason why not.

    Parameters
    ----------
    mol:
        Atoms with one conformer (Å), all hydrogens among them, unsanitised; isotopes stay.
    charge:
        Total charge (units of e).  None allows any: the first of 0, ±1 and ±2 that gives a
        strictly valid molecule.

    Returns
    -------
    Chem.Mol or str
        ``NoImplicit`` on every atom.
    """
    if (close := geometry_failure(mol)) is not None:
        return close
    if mol.GetNumAtoms() == 1:
        return _atom(mol, charge or 0)
    graph = _search(mol, charge)
    elements = {atom.GetAtomicNum() for atom in mol.GetAtoms()}
    skeleton = 6 in elements and 1 not in elements
    if skeleton and (isinstance(graph, str) or _too_long(graph)):
        return "missing hydrogens: there is none"
    return graph


def _search(mol: Chem.Mol, charge: int | None) -> Chem.Mol | str:
    parity = sum(atom.GetAtomicNum() for atom in mol.GetAtoms()) % 2
    if charge is not None and (charge - parity) % 2:
        return f"{_NONE}: an odd number of electrons at charge {charge}, a radical or another ion"
    fallback: Chem.Mol | None = None
    closed = [q for q in _CHARGES if (q - parity) % 2 == 0]
    for q in closed if charge is None else [charge]:
        for factor in _FACTORS:
            with quiet():
                graph = _graph(mol, q, factor)
            if graph is not None and strict_failure(graph, net_charge=q) is None:
                return graph
            fallback = fallback or graph
    if fallback is None:
        asked = "up to 2" if charge is None else f"{charge}"
        return f"{_NONE}: no bond orders give a molecule of charge {asked}"
    return fallback


def _too_long(mol: Chem.Mol) -> bool:
    """Whether multiple bonds of carbon are as long as single ones: their hydrogens are lacking."""
    positions = mol.GetConformer().GetPositions()
    ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    return any(
        np.linalg.norm(positions[i] - positions[j]) > _AT_MOST.get(bond.GetBondType(), np.inf)
        for (i, j), bond in zip(ends, mol.GetBonds(), strict=True)
        if 6 in (bond.GetBeginAtom().GetAtomicNum(), bond.GetEndAtom().GetAtomicNum())
    )


def _atom(mol: Chem.Mol, charge: int) -> Chem.Mol:
    copy = Chem.Mol(mol)
    (atom,) = copy.GetAtoms()
    atom.SetNoImplicit(True)
    atom.SetFormalCharge(charge)
    return copy


def _graph(mol: Chem.Mol, charge: int, factor: float) -> Chem.Mol | None:
    """The graph of atoms joined within ``factor`` times their radii; None if there is none."""
    joined = Chem.RWMol(mol)
    for atom in joined.GetAtoms():
        atom.SetNoImplicit(True)
    try:
        rdDetermineBonds.DetermineConnectivity(joined, useVdw=True, covFactor=factor)
    except (ValueError, RuntimeError):
        return None
    # Single bonds alone may do, also for hypervalent atoms of which the search knows nothing.
    if strict_failure(joined, net_charge=charge) is None:
        return joined.GetMol()
    ordered = _orders(joined, charge, charged=True)
    if ordered is None:  # beside some amines RDKit finds no charges for a nitro group
        ordered = _orders(joined, charge, charged=False)
        if ordered is None or not _charge_nitro_groups(ordered):
            return None
    _cancel_charges(ordered)
    return ordered.GetMol()


def _orders(joined: Chem.RWMol, charge: int, *, charged: bool) -> Chem.RWMol | None:
    """Give bonds their orders; with open valences as charges (``charged``) or as radicals."""
    copy = Chem.RWMol(joined)
    try:
        rdDetermineBonds.DetermineBondOrders(
            copy,
            charge=charge,
            allowChargedFragments=charged,
            embedChiral=False,
            maxIterations=_MAX_ITERATIONS,
        )
        Chem.Kekulize(copy, clearAromaticFlags=True)
    except (ValueError, RuntimeError):
        return None
    for atom in copy.GetAtoms():
        atom.SetNoImplicit(True)
    return copy


def _charge_nitro_groups(mol: Chem.RWMol) -> bool:
    """Write N(O)O with two open oxygens as a nitro group, in place; whether there is one."""
    has_nitro = False
    for atom in mol.GetAtoms():
        ends = [o for o in atom.GetNeighbors() if o.GetAtomicNum() == 8 and o.GetDegree() == 1]
        bonds = [mol.GetBondBetweenAtoms(atom.GetIdx(), o.GetIdx()) for o in ends]
        single = all(b.GetBondType() == Chem.BondType.SINGLE for b in atom.GetBonds())
        if atom.GetAtomicNum() == 7 and atom.GetDegree() == 3 and len(ends) == 2 and single:
            atom.SetFormalCharge(1)
            ends[0].SetFormalCharge(-1)
            bonds[1].SetBondType(Chem.BondType.DOUBLE)
            for member in (atom, *ends):
                member.SetNumRadicalElectrons(0)
            has_nitro = True
    return has_nitro


def _cancel_charges(mol: Chem.RWMol) -> None:
    """Shift double bonds so that charges of opposite sign cancel, in place.

    S+(-O-) of a sulfoxide becomes S=O, and S+=C-O- becomes S-C=O, as chemists write them.
    """
    for atom in mol.GetAtoms():
        if atom.GetFormalCharge() != 1:
            continue
        path = _path(mol, [atom.GetIdx()])
        if atom.GetAtomicNum() in (15, 16, 34) and path is None:  # they expand their octet
            path = _partner(mol, atom)
        if path is None:
            continue
        orders = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE)
        odd = len(path) % 2 == 0
        for k, (i, j) in enumerate(pairwise(path)):
            mol.GetBondBetweenAtoms(i, j).SetBondType(orders[(k + odd) % 2])
        for k in (path[0], path[-1]):
            mol.GetAtomWithIdx(k).SetFormalCharge(0)
            mol.GetAtomWithIdx(k).SetNumRadicalElectrons(0)


def _path(mol: Chem.Mol, path_so_far: list[int]) -> list[int] | None:
    """Continue a path of alternating double and single bonds to an anion; None if there is none."""
    kind = Chem.BondType.DOUBLE if len(path_so_far) % 2 else Chem.BondType.SINGLE
    for bond in mol.GetAtomWithIdx(path_so_far[-1]).GetBonds():
        other = bond.GetOtherAtom(mol.GetAtomWithIdx(path_so_far[-1]))
        if bond.GetBondType() != kind or other.GetIdx() in path_so_far:
            continue
        path = [*path_so_far, other.GetIdx()]
        if kind == Chem.BondType.SINGLE and other.GetFormalCharge() == -1:
            return path
        if len(path) <= _LONGEST and (longer := _path(mol, path)) is not None:
            return longer
    return None


def _partner(mol: Chem.Mol, atom: Chem.Atom) -> list[int] | None:
    """The atom and an oxide or imide that it is singly bonded to; None if there is none."""
    for other in atom.GetNeighbors():
        bond = mol.GetBondBetweenAtoms(atom.GetIdx(), other.GetIdx())
        oxide = other.GetAtomicNum() in (7, 8, 16) and other.GetFormalCharge() == -1
        if oxide and bond.GetBondType() == Chem.BondType.SINGLE:
            return [atom.GetIdx(), other.GetIdx()]
    return None
