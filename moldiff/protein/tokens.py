"""One integer per receptor atom: which atom of which residue, or else its element.

A network that reads the token knows donors, acceptors, charges and aromatic rings of the
twenty amino acids without being told; atoms of cofactors, nucleic acids and metals are told
apart by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moldiff.protein.residues import BACKBONE, TEMPLATES, standard_name

if TYPE_CHECKING:
    from moldiff.protein.structure import Structure

__all__ = ["NAMED", "SITE_PARTS", "TOKENS", "atom_tokens", "structure_tokens"]

_SYNONYMS = {"MSE": "MET"}
_ELEMENTS = (6, 7, 8, 9, 15, 16, 17, 34, 35, 53, 11, 12, 19, 20, 25, 26, 27, 28, 29, 30)

_BY_NAME = MappingProxyType(
    {
        key: number
        for number, key in enumerate(
            (residue, atom)
            for residue, side in TEMPLATES.items()
            if residue not in _SYNONYMS
            for atom in (*BACKBONE, *side)
        )
    }
)
_BY_ELEMENT = MappingProxyType({z: len(_BY_NAME) + k for k, z in enumerate(_ELEMENTS)})


def _part(atom: str) -> int:
    """Return which of the four sites of an amino acid an atom belongs to."""
    if atom == "N":
        return 0
    if atom in ("C", "O"):
        return 1
    return 2 if atom.startswith("C") else 3


NAMED: tuple[tuple[str, str], ...] = tuple(_BY_NAME)
"""Residue and atom name of each token below ``len(NAMED)``; the others are elements."""


SITE_PARTS: tuple[int, ...] = tuple(_part(atom) for _, atom in NAMED)
"""Site of its residue of each token that is an atom of an amino acid: backbone nitrogen, carbonyl
group, other carbons, other N, O and S.  The tokens beyond are elements."""
TOKENS = len(_BY_NAME) + len(_ELEMENTS) + 1
"""Number of different tokens; the last one is an element without its own."""


def atom_tokens(
    residues: Sequence[str], names: Sequence[str], numbers: npt.ArrayLike
) -> npt.NDArray[np.int16]:
    """Return the tokens (m,) of atoms given residue name, atom name and atomic number of each."""
    rows = zip(residues, names, np.asarray(numbers).tolist(), strict=True)
    return np.array([_token(*row) for row in rows], dtype=np.int16)


def structure_tokens(structure: Structure) -> npt.NDArray[np.int16]:
    """Return the tokens (m,) of the atoms of a structure."""
    residues = [structure.residues[k].name for k in structure.residue.tolist()]
    return atom_tokens(residues, structure.names, structure.numbers)


def _token(residue: str, name: str, number: int) -> int:
    residue = _SYNONYMS.get(residue) or standard_name(residue)
    if name == "SE" and residue == "MET":
        name = "SD"
    by_element = _BY_ELEMENT.get(number, TOKENS - 1)
    return _BY_NAME.get((residue, name), by_element)
