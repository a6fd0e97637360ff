"""Receptors: structures from PDB and mmCIF files, typed atoms, polar hydrogens, pockets.

Knows nothing of networks; needs numpy, scipy and Biopython only.
"""

from __future__ import annotations

from moldiff.protein.pocket import (
    Box,
    box_from_residues,
    check_box,
    crop,
)
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import Receptor, prepare_receptor
from moldiff.protein.structure import Residue, Structure
from moldiff.protein.write import write_pdb

__all__ = [
    "Box",
    "Receptor",
    "Residue",
    "Structure",
    "box_from_residues",
    "check_box",
    "crop",
    "prepare_receptor",
    "read_structure",
    "write_pdb",
]
