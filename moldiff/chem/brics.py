"""Sides of the bonds that BRICS cuts, and molecules joined of them.

Source: Degen, Wegscheid-Gerlach, Zaliani & Rarey, ChemMedChem 3 (2008) 1503.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised

__all__ = ["Side", "fit", "joined", "sides", "smiles"]


@dataclass(frozen=True, eq=False)
class Side:
    """What hangs on one end of a bond.

    Attributes
    ----------
    mol:
        The whole molecule, sanitised, its hydrogens implicit.
    atoms:
        Those of this side, ascending, counted among the heavy atoms.
    end:
        The one of them that has the bond.
    kind:
        The number of its surroundings among those of BRICS.
    order:
        Of the bond.
    """

    mol: Chem.Mol
    atoms: tuple[int, ...]
    end: int
    kind: str
    order: Chem.BondType

    @property
    def size(self) -> int:
        """The number of its heavy atoms."""
        return len(self.atoms)


def sides(mol: Chem.Mol) -> list[Side]:
    """Return both sides of each bond that BRICS cuts; none of what cannot be sanitised."""
    from rdkit.Chem import BRICS

    parts = []
    with quiet():
        whole = sanitised(mol)
        if whole is None:
            return []
        # BRICS counts neighbours, among which hydrogens would be.
        whole = Chem.RemoveAllHs(whole)
        for ends, kinds in BRICS.FindBRICSBonds(whole):
            order = whole.GetBondBetweenAtoms(*ends).GetBondType()
            cut = Chem.RWMol(whole)
            cut.RemoveBond(*ends)
            fragments = Chem.GetMolFrags(cut)
            for end, kind in zip(ends, kinds, strict=True):
                atoms = next(sorted(one) for one in fragments if end in one)
                parts.append(Side(whole, tuple(atoms), end, kind, order))
    return parts


def fit(one: Side, other: Side) -> bool:
    """Whether BRICS joins the ends of two sides."""
    return frozenset((one.kind, other.kind)) in _joins() and one.order == other.order


def joined(one: Side, other: Side) -> Chem.Mol | None:
    """Return two sides that `fit` as one molecule, without hydrogens or coordinates.

    The stereochemistry of both ends, and of the bond between them, is left open.  None if the
    result cannot be sanitised.
    """
    with quiet():
        whole = Chem.RWMol(Chem.CombineMols(*(_part(side) for side in (one, other))))
        first, second = one.atoms.index(one.end), one.size + other.atoms.index(other.end)
        whole.AddBond(first, second, one.order)
        return sanitised(whole.GetMol())


def smiles(side: Side) -> str:
    """Return a side as SMILES, with the dummy atom [*:1] for what hangs on its end."""
    with quiet():
        part = Chem.RWMol(_part(side))
        dummy = part.AddAtom(Chem.Atom(0))
        part.GetAtomWithIdx(dummy).SetAtomMapNum(1)
        part.AddBond(side.atoms.index(side.end), dummy, side.order)
        Chem.SanitizeMol(part)
        return str(Chem.MolToSmiles(part))


def _part(side: Side) -> Chem.Mol:
    """The atoms of a side alone, in their order, with the hydrogens they have in the molecule.

    Which way round a neighbour in the other's place would stand is not known, so the end's
    stereochemistry is left open.  Directions of its single bonds would give a new double bond one.
    """
    part = Chem.RWMol(side.mol)
    for atom in part.GetAtoms():
        atom.SetNumExplicitHs(atom.GetTotalNumHs(includeNeighbors=True))
        atom.SetNoImplicit(True)
    part.GetAtomWithIdx(side.end).SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    if side.order == Chem.BondType.DOUBLE:
        for bond in part.GetAtomWithIdx(side.end).GetBonds():
            bond.SetBondDir(Chem.BondDir.NONE)
    kept = set(side.atoms)
    part.BeginBatchEdit()
    for atom in part.GetAtoms():
        if atom.GetIdx() not in kept:
            part.RemoveAtom(atom.GetIdx())
    part.CommitBatchEdit()
    part.RemoveAllConformers()
    return part.GetMol()


@cache
def _joins() -> frozenset[frozenset[str]]:
    """Kinds of ends that BRICS joins."""
    from rdkit.Chem import BRICS

    pairs = (pair[:2] for group in BRICS.reactionDefs for pair in group)
    return frozenset(frozenset(kind.rstrip("ab") for kind in pair) for pair in pairs)
