"""The roles of a ligand's atoms, by the patterns that ProLIF 2.2 has in other words.

One is wider: the hydrogen of any charged aromatic nitrogen is donated, not of imidazolium alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from rdkit import Chem

from moldiff.protein.interactions.features import Features, Floats, Hydrogens, Ring, atoms, pairs

__all__ = ["ligand_features"]

_NITROGEN = 7
_LENGTH = {7: 1.01, 8: 0.96, 16: 1.34}  # Å, of a bond to hydrogen
_LONE_PAIRS = (7, 8, 15, 16, 34)  # accept halogen bonds

# The role is that of the first atom.
_PATTERNS = {
    # aromatic, chains and branches; no methyl, no CH2 of a ring, none beside N, O, F
    "hydrophobic": "[c,s,Br,I,$([Sv2H0]),$([CX4;H0,H1]),$([CX4H2;!R]),$([CX3H0]),$([CX3H1;!R]),"
    "$([CX2H0;!R]);+0;!$([#6]~[#7,#8,#9])]",
    # no amides, anilines, amidines, esters' bridging oxygen, nitro groups; a lone fluorine
    "acceptor": "[$([N;!$([NX3]*=[O,N,P,S]);!$([NX3]a);!$([Nv4+]);!$(N=C([C,N])N)]),"
    "$([n;+0;!X3;!$([n;r5]:[n;r5;+])]),$([O;!$([OX2](C)C=O);!$(O(~a)~a);!$(O=N*);!$([O-]N=O)]),"
    "$([o;+0]),$([F;$(F[#6]);!$(F[#6][F,Cl,Br,I])])]",
    "cation": "[$([+,+2,+3;!$(*~[-,-2,-3])]),$([NX3;!$(NO)]C=[NX3+])]",
    "anion": "[$([-,-2,-3;!$(*~[+,+2,+3])]),$(O=[C,S,P][O-])]",
    "chelator": "[O,$([#7;!$([nX3]);!$([NX4]);!$([NX3]a);!$([NX3]*=[!#6])]),-,-2,-3;!+;!+2;!+3]",
    "donor": "[$([#7,O,S;+0]),$([Nv4+]),$([n+])][#1]",
    "halogen": "[#6,#7,Si][Cl,Br,I]",
}


def ligand_features(mol: Chem.Mol) -> Features:
    """Return the features of a sanitised molecule with all hydrogens and a conformer."""
    x = np.asarray(mol.GetConformer().GetPositions(), dtype=np.float64)
    matches_of = {name: mol.GetSubstructMatches(_pattern(p)) for name, p in _PATTERNS.items()}
    roles = {name: atoms(match[0] for match in matches) for name, matches in matches_of.items()}
    rings = [
        ring
        for ring in mol.GetRingInfo().AtomRings()
        if len(ring) in (5, 6) and all(mol.GetAtomWithIdx(i).GetIsAromatic() for i in ring)
    ]
    accepting = [
        (atom.GetIdx(), other.GetIdx())
        for atom in mol.GetAtoms()
        if atom.GetFormalCharge() <= 0
        and (atom.GetAtomicNum() in _LONE_PAIRS or atom.GetIsAromatic())
        for other in atom.GetNeighbors()
    ]
    return Features(
        x=x,
        hydrophobic=roles["hydrophobic"],
        hydrogens=_hydrogens(mol, x, matches_of["donor"]),
        acceptors=roles["acceptor"],
        cations=roles["cation"],
        anions=roles["anion"],
        rings=tuple(Ring.of(x, ring) for ring in rings),
        halogens=pairs(matches_of["halogen"]),
        halogen_acceptors=pairs(accepting),
        metals=atoms(()),
        chelators=roles["chelator"],
    )


def _hydrogens(mol: Chem.Mol, x: Floats, donors: Iterable[tuple[int, int]]) -> Hydrogens:
    rows = []
    for d, h in donors:
        donor = mol.GetAtomWithIdx(d)
        heavy = [a for a in donor.GetNeighbors() if a.GetAtomicNum() > 1]
        number = donor.GetAtomicNum()
        turns = not heavy or (
            len(heavy) == 1
            and (number != _NITROGEN or donor.GetTotalNumHs(True) == 3 or _amine(heavy[0]))
        )
        behind = x[heavy[0].GetIdx()] if heavy else None
        rows.append((d, None if turns else x[h], behind, _LENGTH[number]))
    return Hydrogens.of(rows)


def _amine(neighbour: Chem.Atom) -> bool:
    """Whether an NH2 on this atom is an amine, which turns, and not an amide or aniline."""
    return bool(neighbour.GetHybridization() == Chem.HybridizationType.SP3)


@lru_cache(maxsize=len(_PATTERNS))
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)
