"""Vina's atom types: a radius and three yes-or-no properties.

X-Score's radii (Wang, Lai & Wang, J. Comput. Aided Mol. Des. 16 (2002) 11) as Vina uses them
(Trott & Olson, J. Comput. Chem. 31 (2010) 455): a carbon is hydrophobic unless bonded to a
hetero atom, halogens are hydrophobic, nitrogen and oxygen donate if they carry a hydrogen,
metals donate, oxygen accepts, and nitrogen accepts where its lone pair is free (AutoDock's
"NA" against "N").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from rdkit.Chem import Mol

    from moldiff.protein.receptor import Receptor

__all__ = ["METAL_RADIUS", "RADII", "AtomTypes", "ligand_types", "receptor_types"]

#: Atomic number -> X-Score radius in Å, as in Vina; selenium and arsenic stand beside sulphur
#: and phosphorus, boron beside carbon (Vina has no type for the last two).
RADII = {
    5: 1.9,
    6: 1.9,
    7: 1.8,
    8: 1.7,
    9: 1.5,
    14: 2.2,
    15: 2.1,
    16: 2.0,
    17: 1.8,
    33: 2.1,
    34: 2.0,
    35: 2.0,
    53: 2.2,
    85: 2.3,
}
#: Radius of every other element, taken as a metal ion.
METAL_RADIUS = 1.2

_CARBON, _HALOGENS, _HYDROGEN = 6, (9, 17, 35, 53, 85), 1
# Nitrogen without a free lone pair: conjugated with a ring, amide, amidine, triazene; or a cation.
_BUSY_NITROGEN = ("[#7X3v3]a", "[#7X3v3][#6X3v4]", "[#7X3v3][NX2]=*", "[#7;!+0;!-]")


@dataclass(frozen=True, eq=False)
class AtomTypes:
    """Types of n atoms: radius (n,) in Å; hydrophobic, donor and acceptor (n,) bool.

    They may have more dimensions for broadcasting, such as a column (n, 1).
    """

    radius: Float[Tensor, "*n"]
    hydrophobic: Bool[Tensor, "*n"]
    donor: Bool[Tensor, "*n"]
    acceptor: Bool[Tensor, "*n"]

    def __len__(self) -> int:
        return len(self.radius)

    def __getitem__(self, index: Tensor | slice | Sequence[int]) -> AtomTypes:
        """Select atoms by mask, indices or slice."""
        return AtomTypes(
            self.radius[index], self.hydrophobic[index], self.donor[index], self.acceptor[index]
        )

    def distinct(self) -> tuple[AtomTypes, Int[Tensor, " n"]]:
        """Return the t different types and each atom's index among them."""
        flags = (self.hydrophobic, self.donor, self.acceptor)
        code = torch.stack((self.radius, *(flag.to(self.radius) for flag in flags)), dim=1)
        values, index = torch.unique(code, dim=0, return_inverse=True)
        return AtomTypes(values[:, 0], *(values[:, k] > 0.5 for k in (1, 2, 3))), index

    def union(self, other: AtomTypes) -> AtomTypes:
        """Return the atoms of both, one after the other."""
        return AtomTypes(
            torch.cat((self.radius, other.radius)),
            torch.cat((self.hydrophobic, other.hydrophobic)),
            torch.cat((self.donor, other.donor)),
            torch.cat((self.acceptor, other.acceptor)),
        )


def radii(numbers: Sequence[int]) -> Float[Tensor, " n"]:
    """Return the radii in Å of atoms given by atomic number."""
    return torch.tensor([RADII.get(int(z), METAL_RADIUS) for z in numbers], dtype=torch.float32)


def ligand_types(mol: Mol, heavy: Any = None) -> AtomTypes:
    """Type a ligand's heavy atoms; hydrogens may be explicit or implicit.

    Parameters
    ----------
    mol:
        A sanitised molecule.
    heavy:
        (n,) indices of its heavy atoms in the order of the result; None: the molecule's order.
    """
    from rdkit import Chem

    if heavy is None:
        heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    atoms = [mol.GetAtomWithIdx(int(i)) for i in heavy]
    numbers = [atom.GetAtomicNum() for atom in atoms]
    patterns = [Chem.MolFromSmarts(smarts) for smarts in _BUSY_NITROGEN]
    busy = {match[0] for p in patterns for match in mol.GetSubstructMatches(p, maxMatches=10**6)}
    polar = [z in (7, 8) for z in numbers]
    metal = [z not in RADII for z in numbers]
    donor = [
        m or (p and atom.GetTotalNumHs(includeNeighbors=True) > 0)
        for atom, p, m in zip(atoms, polar, metal, strict=True)
    ]
    acceptor = [p and atom.GetIdx() not in busy for atom, p in zip(atoms, polar, strict=True)]
    hydrophobic = [_hydrophobic(atom) for atom in atoms]
    return AtomTypes(radii(numbers), *(torch.tensor(v) for v in (hydrophobic, donor, acceptor)))


def receptor_types(receptor: Receptor) -> AtomTypes:
    """Type a prepared receptor's m heavy atoms."""
    radius = radii(receptor.structure.numbers.tolist())
    radius[torch.as_tensor(np.asarray(receptor.metal, dtype=bool))] = METAL_RADIUS
    flags = (receptor.hydrophobic, receptor.donor, receptor.acceptor)  # metals are donors
    return AtomTypes(radius, *(torch.as_tensor(np.asarray(f, dtype=bool)) for f in flags))


def _hydrophobic(atom: Any) -> bool:
    number = atom.GetAtomicNum()
    if number != _CARBON:
        return number in _HALOGENS
    kinds = (other.GetAtomicNum() for other in atom.GetNeighbors())
    return all(kind in (_CARBON, _HYDROGEN) for kind in kinds)
