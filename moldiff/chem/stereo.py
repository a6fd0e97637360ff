"""Stereochemistry that a molecule leaves open: what of it makes isomers, and which one a pose is.

RDKit's list of potential stereo is longer than what chemists call isomers: it has the corners of
cubane, the bridgeheads of quinuclidine, azides, amidines and amine nitrogens, none of which can be
had in two forms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from moldiff.chem.quiet import quiet

__all__ = [
    "MAX_ISOMERS",
    "OpenStereo",
    "isomer_smiles",
    "isomers",
    "open_stereo",
    "racemic",
    "smiles_of",
]

MAX_ISOMERS = 32
"""Isomers that `isomers` yields at most."""

_TAGS = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
_BONDS = (Chem.BondStereo.STEREOCIS, Chem.BondStereo.STEREOTRANS)
_MIXED = (Chem.StereoGroupType.STEREO_AND, Chem.StereoGroupType.STEREO_OR)


@dataclass(frozen=True)
class OpenStereo:
    """What is not specified: centres (atoms), and double bonds with one atom on either side."""

    centres: tuple[int, ...]
    bonds: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.centres) + len(self.bonds)


def open_stereo(mol: Chem.Mol) -> OpenStereo:
    """Return the stereo centres and bonds of a sanitised molecule that are not specified."""
    centres: list[int] = []
    bonds: list[tuple[int, int, int]] = []
    with quiet():
        independent = {
            atom for atom, _ in Chem.FindMolChiralCenters(mol, includeUnassigned=True, force=True)
        }
        bridges: list[int] = []
        rdMolDescriptors.CalcNumBridgeheadAtoms(mol, bridges)
        for stereo in Chem.FindPotentialStereo(mol):
            if stereo.specified == Chem.StereoSpecified.Specified:
                continue
            if stereo.type == Chem.StereoType.Atom_Tetrahedral:
                atom = mol.GetAtomWithIdx(stereo.centeredOn)
                if _two_forms(atom, stereo.centeredOn in independent, set(bridges)):
                    centres.append(stereo.centeredOn)
            elif stereo.type == Chem.StereoType.Bond_Double:
                bond = mol.GetBondWithIdx(stereo.centeredOn)
                if _two_sides(bond):
                    bonds.append((stereo.centeredOn, *_controlling(bond, stereo)))
    return OpenStereo(tuple(centres), tuple(bonds))


def _two_forms(atom: Chem.Atom, independent: bool, bridges: set[int]) -> bool:
    """Whether a potential centre can be had in two forms."""
    if atom.GetAtomicNum() == 7 and atom.GetFormalCharge() == 0:
        return False  # inverts
    # A centre only by its ring's symmetry: cis and trans on a ring, but no corner of a cage.
    rings = atom.GetOwningMol().GetRingInfo().NumAtomRings(atom.GetIdx())
    return independent or (rings < 3 and atom.GetIdx() not in bridges)


def _two_sides(bond: Chem.Bond) -> bool:
    """Whether a potential stereo bond has two forms that do not turn into each other."""
    for atom, other in (
        (bond.GetBeginAtom(), bond.GetEndAtom()),
        (bond.GetEndAtom(), bond.GetBeginAtom()),
    ):
        double = sum(b.GetBondType() == Chem.BondType.DOUBLE for b in atom.GetBonds())
        if double > 1:
            return False  # azides, diazo compounds, cumulenes
        if atom.GetDegree() < 2:
            return False  # a hydrogen alone tells the sides apart, as in HN=NR: nobody draws it
        if atom.GetAtomicNum() != 7 or other.GetAtomicNum() != 6:
            continue
        if atom.GetTotalNumHs(includeNeighbors=True):
            return False  # imines of ammonia
        oxime = any(n.GetAtomicNum() in (7, 8) for n in atom.GetNeighbors())
        beside = [n for n in other.GetNeighbors() if n.GetIdx() != atom.GetIdx()]
        amidine = any(n.GetAtomicNum() == 7 for n in beside)
        if amidine and not oxime:
            return False  # amidines and guanidines change places by their tautomers
    return True


def _controlling(bond: Chem.Bond, stereo: Chem.StereoInfo) -> tuple[int, int]:
    """One neighbour of either end, that cis and trans refer to."""
    known = [int(i) for i in stereo.controllingAtoms]
    ends = (bond.GetBeginAtom(), bond.GetEndAtom())
    sides = [
        next(n.GetIdx() for n in end.GetNeighbors() if n.GetIdx() in known and n.GetIdx() != o)
        for end, o in zip(ends, (ends[1].GetIdx(), ends[0].GetIdx()), strict=True)
    ]
    return sides[0], sides[1]


def racemic(mol: Chem.Mol) -> bool:
    """Whether centres are marked as "and" or "or": a racemate, or one enantiomer, unknown which."""
    return any(group.GetGroupType() in _MIXED for group in mol.GetStereoGroups())


def smiles_of(mol: Chem.Mol) -> str:
    """Return the canonical SMILES of a sanitised molecule, its hydrogens implied."""
    with quiet():
        return str(Chem.MolToSmiles(Chem.RemoveHs(mol)))


def isomer_smiles(mol: Chem.Mol) -> str:
    """Return the SMILES of a molecule with the stereochemistry of its first conformer."""
    with quiet():
        copy = Chem.Mol(mol)
        Chem.AssignStereochemistryFrom3D(copy)
    return smiles_of(copy)


def isomers(mol: Chem.Mol, limit: int = MAX_ISOMERS) -> list[Chem.Mol]:
    """Return the isomers that a sanitised molecule leaves open, at most ``limit``; else itself.

    Groups of centres marked "and" or "or" are inverted as a whole.  Coordinates are dropped: they
    are those of one of them.
    """
    distinct: dict[str, Chem.Mol] = {}
    with quiet():
        for isomer in islice(_variants(mol), 8 * limit):
            distinct.setdefault(Chem.MolToSmiles(isomer), isomer)
            if len(distinct) == limit:
                break
    return list(distinct.values()) if len(distinct) > 1 else [mol]


def _variants(mol: Chem.Mol) -> Iterator[Chem.Mol]:
    """Every combination of the open centres, bonds and groups."""
    unspecified = open_stereo(mol)
    groups = [
        [atom.GetIdx() for atom in group.GetAtoms()]
        for group in mol.GetStereoGroups()
        if group.GetGroupType() in _MIXED
    ]
    for choice in product((0, 1), repeat=len(unspecified) + len(groups)):
        copy = Chem.RWMol(mol)
        copy.SetStereoGroups([])
        if copy.GetNumConformers():
            copy.RemoveAllConformers()
        places = iter(choice)
        for centre in unspecified.centres:
            copy.GetAtomWithIdx(centre).SetChiralTag(_TAGS[next(places)])
        for index, first, second in unspecified.bonds:
            bond = copy.GetBondWithIdx(index)
            bond.SetBondDir(Chem.BondDir.NONE)
            bond.SetStereoAtoms(first, second)
            bond.SetStereo(_BONDS[next(places)])
        for group in groups:
            if next(places):
                for atom in group:
                    copy.GetAtomWithIdx(atom).InvertChirality()
        Chem.SetDoubleBondNeighborDirections(copy)
        Chem.AssignStereochemistry(copy, cleanIt=True, force=True)
        yield copy.GetMol()
