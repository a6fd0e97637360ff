"""One integer per receptor atom: which atom of which residue, or else its element.

A network that reads the token knows donors, acceptors, charges and aromatic rings of the
twenty amino acids without being told; atoms of cofactors, nucleic acids and metals are told
apart by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

__all__ = ["NAMED", "TOKENS", "atom_tokens"]

_SIDE_CHAINS = {
    "ALA": "CB",
    "ARG": "CB CG CD NE CZ NH1 NH2",
    "ASN": "CB CG OD1 ND2",
    "ASP": "CB CG OD1 OD2",
    "CYS": "CB SG",
    "GLN": "CB CG CD OE1 NE2",
    "GLU": "CB CG CD OE1 OE2",
    "GLY": "",
    "HIS": "CB CG ND1 CD2 CE1 NE2",
    "ILE": "CB CG1 CG2 CD1",
    "LEU": "CB CG CD1 CD2",
    "LYS": "CB CG CD CE NZ",
    "MET": "CB CG SD CE",
    "PHE": "CB CG CD1 CD2 CE1 CE2 CZ",
    "PRO": "CB CG CD",
    "SER": "CB OG",
    "THR": "CB OG1 CG2",
    "TRP": "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2",
    "TYR": "CB CG CD1 CD2 CE1 CE2 CZ OH",
    "VAL": "CB CG1 CG2",
}
# Names force fields give to protonation states, and selenomethionine.
_SYNONYMS = {
    **dict.fromkeys(("HID", "HIE", "HIP", "HSD", "HSE", "HSP"), "HIS"),
    **dict.fromkeys(("CYX", "CYM"), "CYS"),
    "ASH": "ASP",
    "GLH": "GLU",
    "LYN": "LYS",
    "MSE": "MET",
}
_ELEMENTS = (6, 7, 8, 9, 15, 16, 17, 34, 35, 53, 11, 12, 19, 20, 25, 26, 27, 28, 29, 30)

_BY_NAME = MappingProxyType(
    {
        key: number
        for number, key in enumerate(
            (residue, atom)
            for residue, side in _SIDE_CHAINS.items()
            for atom in ["N", "CA", "C", "O", *side.split()]
        )
    }
)
_BY_ELEMENT = MappingProxyType({z: len(_BY_NAME) + k for k, z in enumerate(_ELEMENTS)})
NAMED: tuple[tuple[str, str], ...] = tuple(_BY_NAME)
"""Residue and atom name of each token below ``len(NAMED)``; the others are elements."""
TOKENS = len(_BY_NAME) + len(_ELEMENTS) + 1
"""Number of different tokens; the last one is an element without its own."""


def atom_tokens(
    residues: Sequence[str], names: Sequence[str], numbers: npt.ArrayLike
) -> npt.NDArray[np.int16]:
    """Return the tokens (m,) of atoms given residue name, atom name and atomic number of each."""
    rows = zip(residues, names, np.asarray(numbers).tolist(), strict=True)
    return np.array([_token(*row) for row in rows], dtype=np.int16)


def _token(residue: str, name: str, number: int) -> int:
    residue = _SYNONYMS.get(residue, residue)
    if name == "SE" and residue == "MET":
        name = "SD"
    by_element = _BY_ELEMENT.get(number, TOKENS - 1)
    return _BY_NAME.get((residue, name), by_element)
