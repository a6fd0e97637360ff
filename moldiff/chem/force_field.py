"""The force field of a molecule: MMFF94, or UFF where MMFF94 does not know the atoms.

Sources: T. A. Halgren, J. Comput. Chem. 17 (1996) 490; A. K. Rappé et al., J. Am. Chem. Soc. 114
(1992) 10024.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

__all__ = ["WATER", "force_field"]


WATER = 80.0
"""Relative permittivity: in vacuo (1) salt bridges bend a molecule towards itself."""


def force_field(mol: Chem.Mol, permittivity: float = WATER) -> Callable[[int], Any] | None:
    """A function conformer id -> RDKit force field; None where neither field knows the atoms.

    ``permittivity`` is that of MMFF94's surroundings; UFF has no charges here.
    """
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol)
        properties.SetMMFFDielectricConstant(permittivity)
        return lambda k: rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties, confId=k)
    if rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        return lambda k: rdForceFieldHelpers.UFFGetMoleculeForceField(mol, confId=k)
    return None
