"""The elements: symbols, covalent radii, metals, and what an atom name says about its element."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

__all__ = ["METALS", "NUMBERS", "RADII", "SYMBOLS", "guess_element"]

SYMBOLS = tuple(
    (
        "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge "
        "As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm "
        "Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U "
        "Np Pu Am Cm Bk Cf Es Fm Md No Lr"
    ).split()
)

#: Upper-case symbol -> atomic number; deuterium and tritium are hydrogens.
NUMBERS: dict[str, int] = {
    **{symbol.upper(): number for number, symbol in enumerate(SYMBOLS) if number},
    "D": 1,
    "T": 1,
}

_NONMETALS = (1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 33, 34, 35, 36, 52, 53, 54, 85, 86)

#: Whether an element is a metal, by atomic number, shape (104,).
METALS: npt.NDArray[np.bool_] = np.ones(len(SYMBOLS), dtype=bool)
METALS[[0, *_NONMETALS]] = False

#: Covalent radii, Å, by atomic number, shape (104,).  Those of the elements that AutoDock Vina
#: types are the ones it perceives bonds with (Trott & Olson 2010); the rest are from Cordero et
#: al. (2008), and 1.4 Å stands for what neither needs.
RADII: npt.NDArray[np.float32] = np.full(len(SYMBOLS), 1.4, dtype=np.float32)
for _symbol, _radius in {
    "H": 0.37,
    "C": 0.77,
    "N": 0.75,
    "O": 0.73,
    "F": 0.71,
    "P": 1.06,
    "S": 1.02,
    "Cl": 0.99,
    "Br": 1.14,
    "I": 1.33,
    "Si": 1.11,
    "Mg": 1.30,
    "Mn": 1.39,
    "Zn": 1.31,
    "Ca": 1.74,
    "Fe": 1.25,
    "B": 0.84,
    "As": 1.19,
    "Se": 1.20,
    "Te": 1.38,
}.items():
    RADII[SYMBOLS.index(_symbol)] = _radius

# Two-letter elements that stand inside larger groups; elsewhere a letter in the first of the four
# columns of the name is only trusted where the group is one atom.
_IN_GROUPS = (
    *("BR", "CL", "FE", "ZN", "MG", "CU", "MN", "MO", "NI", "RU", "AL", "BE", "AS", "SE"),
    *("PT", "AU", "AG"),
)
# Of these the column does not matter: a symbol, or a symbol with a number, is that element.  Not
# "NA", "CA", "CD", "CO", "HG", which are also a nitrogen, carbons and a hydrogen with a letter.
_EXACT = ("BR", "CL", "FE", "ZN", "MG", "CU", "MN", "MO", "SE", "SI")
# Ions as CHARMM and Amber call them: residue -> element.
_IONS = {
    "SOD": "NA",
    "POT": "K",
    "CLA": "CL",
    "CAL": "CA",
    "CES": "CS",
    "LIT": "LI",
    "RUB": "RB",
    "BAR": "BA",
    "CAD": "CD",
    "CIO": "CS",
    "IP": "NA",
    "IM": "CL",
}
_COBALT = ("B12", "COB", "CNC", "COY")
_POLYMER_LETTERS = "HCNOPS"


def guess_element(name: str, residue: str, *, polymer: bool) -> str:
    """Return the upper-case element of an atom whose element column is empty ("" if unknown).

    Parameters
    ----------
    name:
        The atom name as it stands in the four columns of a PDB file: ``" CA "`` is a carbon,
        ``"CA  "`` calcium (if its group is one).
    residue:
        Name of the residue, e.g. ``"CA"``.
    polymer:
        Whether the residue is an amino acid or a nucleotide.
    """
    stripped = re.sub(r"[^A-Z]", "", name.upper())
    if not stripped:
        return ""
    if polymer:
        if name.strip().upper() == "SE":
            return "SE"
        return stripped[0] if stripped[0] in (*_POLYMER_LETTERS, "D") else ""
    group = re.sub(r"[^A-Z]", "", residue.upper())
    if stripped in NUMBERS and stripped == group:
        return stripped
    if stripped in (group, _IONS.get(group)) and group in _IONS:
        return _IONS[group]
    if stripped in _EXACT:
        return stripped
    if stripped == "CO" and residue.strip().upper() in _COBALT:
        return stripped
    two = stripped[:2]
    if two in _IN_GROUPS and not name.startswith(" "):
        return two
    return stripped[0] if stripped[0] in NUMBERS else ""
