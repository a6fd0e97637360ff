"""Functional groups and ring systems that chemists count: ``molecule -> number``, by name.

Each is a pattern in SMARTS.  A functional group is counted at the atom that makes it one, so that a
molecule has as many as a chemist would say.  A ring system is counted fused into a larger one, too:
an indole holds a benzene and a pyrrole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from rdkit import Chem

__all__ = ["FRAGMENTS", "count"]

# Only sp3 carbon beside it: nothing takes its lone pair.
_BASIC = "NX3;+0;!$(N~[!$([CX4])])"

#: Name -> what it is, SMARTS.
FRAGMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "basic_amines": ("amines with sp3 carbon alone beside them", f"[{_BASIC}]"),
        "primary_amine": ("primary ones of these", f"[{_BASIC};H2]"),
        "secondary_amine": ("secondary ones of these", f"[{_BASIC};H1]"),
        "tertiary_amine": ("tertiary ones of these", f"[{_BASIC};H0]"),
        "amide": ("amides of carboxylic acids", "[$(C(=O)(N)[#6]),$([CH](=O)N)]"),
        "urea": ("ureas", "[$(C(=O)(N)N)]"),
        "sulfonamide": ("sulfonamides", "[$([SX4](=O)(=O)(N)[#6])]"),
        "carboxylic_acid": ("carboxylic acids", "[$(C(=O)[OX2H])]"),
        "ester": ("esters of carboxylic acids", "[$(C(=O)(O[#6])[#6]),$([CH](=O)O[#6])]"),
        "ketone": ("ketones", "[$(C(=O)([#6])[#6])]"),
        "ether": ("ethers", "[OX2;$(O([#6])[#6]);!$(OC=[O,S,N])]"),
        "alcohol": ("alcohols", "[OX2H;$(O[CX4])]"),
        "phenol": ("phenols", "[OX2H;$(Oc)]"),
        "nitrile": ("nitriles", "[NX1;$(N#C)]"),
        "nitro": ("nitro groups", "[$([NX3+](=O)[O-])]"),
        "benzene": ("benzene rings", "c1ccccc1"),
        "pyridine": ("pyridine rings", "[nX2]1ccccc1"),
        "pyrimidine": ("pyrimidine rings", "[nX2]1c[nX2]ccc1"),
        "pyrrole": ("pyrrole rings", "[nX3]1cccc1"),
        "imidazole": ("imidazole rings", "[nX3]1c[nX2]cc1"),
        "pyrazole": ("pyrazole rings", "[nX3]1[nX2]ccc1"),
        "furan": ("furan rings", "o1cccc1"),
        "thiophene": ("thiophene rings", "s1cccc1"),
        "thiazole": ("thiazole rings", "s1c[nX2]cc1"),
        "oxazole": ("oxazole rings", "o1c[nX2]cc1"),
        "indole": ("indoles", "[nX3]1ccc2ccccc12"),
        "quinoline": ("quinolines", "[nX2]1cccc2ccccc12"),
        "pyrrolidine": ("pyrrolidine rings", "N1[CX4][CX4][CX4][CX4]1"),
        "piperidine": ("piperidine rings", "N1[CX4][CX4][CX4][CX4][CX4]1"),
        "piperazine": ("piperazine rings", "N1[CX4][CX4]N[CX4][CX4]1"),
        "morpholine": ("morpholine rings", "N1[CX4][CX4]O[CX4][CX4]1"),
        "cyclopropane": ("cyclopropane rings", "[CX4]1[CX4][CX4]1"),
        "cyclohexane": ("cyclohexane rings", "[CX4]1[CX4][CX4][CX4][CX4][CX4]1"),
    }
)


def count(mol: Chem.Mol, name: str) -> int:
    """Return how many fragments of a name a molecule has."""
    return len(mol.GetSubstructMatches(_pattern(name), maxMatches=10_000))


@cache
def _pattern(name: str) -> Chem.Mol:
    return Chem.MolFromSmarts(FRAGMENTS[name][1])
