"""A receptor ready for docking: every heavy atom typed, polar hydrogens placed.

The classes are X-Score's (Wang, Lai & Wang, J. Comput. Aided Mol. Des. 16 (2002) 11) as Vina
uses them (Trott & Olson, J. Comput. Chem. 31 (2010) 455): hydrophobic carbons and halogens,
donors, acceptors, and metals, which donate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moldiff.protein.bonds import Bonds, find_bonds
from moldiff.protein.elements import METALS
from moldiff.protein.hydrogens import place_hydrogens
from moldiff.protein.polar import Polar, State, find_polar
from moldiff.protein.structure import Structure

__all__ = ["Receptor", "prepare_receptor"]

_CARBON, _HALOGENS = 6, (9, 17, 35, 53, 85)


@dataclass(frozen=True, eq=False)
class Receptor:
    """m typed heavy atoms and h polar hydrogens.

    Attributes
    ----------
    structure:
        The heavy atoms.
    donor, acceptor, hydrophobic, metal:
        (m,) bool; metals are donors.
    hydrogens:
        (h, 3) float32 positions of the polar hydrogens in Å.
    hydrogen_parent:
        (h,) int64 the heavy atom each is bonded to.
    states:
        The histidines, and the acids with their hydrogen.
    """

    structure: Structure
    donor: npt.NDArray[np.bool_]
    acceptor: npt.NDArray[np.bool_]
    hydrophobic: npt.NDArray[np.bool_]
    metal: npt.NDArray[np.bool_]
    hydrogens: npt.NDArray[np.float32]
    hydrogen_parent: npt.NDArray[np.int64]
    states: tuple[State, ...] = ()

    def __len__(self) -> int:
        return len(self.structure)

    def subset(self, mask: npt.NDArray[np.bool_]) -> Receptor:
        """Return the atoms of a mask (m,) with their hydrogens; types do not change."""
        mask = np.asarray(mask, dtype=bool)
        place = np.cumsum(mask) - 1
        kept = mask[self.hydrogen_parent]
        structure = self.structure.subset(mask)
        there = set(structure.residues)
        return Receptor(
            structure=structure,
            donor=self.donor[mask],
            acceptor=self.acceptor[mask],
            hydrophobic=self.hydrophobic[mask],
            metal=self.metal[mask],
            hydrogens=self.hydrogens[kept],
            hydrogen_parent=place[self.hydrogen_parent[kept]].astype(np.int64),
            states=tuple(state for state in self.states if state.residue in there),
        )


def _hydrogens(
    structure: Structure, bonds: Bonds, polar: Polar
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Positions (h, 3) and parents (h,): those of the file, and placed ones where it has none."""
    given = np.isin(structure.hydrogen_parent, list(polar.donors))
    there = set(structure.hydrogen_parent[given].tolist())
    others = {atom: standing for atom, standing in polar.donors.items() if atom not in there}
    placed, parents = place_hydrogens(structure, bonds, others, polar.acceptor)
    positions = np.concatenate((structure.hydrogens[given], placed))
    parents = np.concatenate((structure.hydrogen_parent[given], parents))
    order = np.argsort(parents, kind="stable")
    return positions[order].astype(np.float32), parents[order].astype(np.int64)


def prepare_receptor(structure: Structure) -> Receptor:
    """Type the atoms of a structure and place its polar hydrogens.

    A carbon is hydrophobic if it is bonded to carbons and hydrogens only; donors and acceptors
    follow `polar`.  A few milliseconds for a thousand atoms.
    """
    numbers = structure.numbers
    bonds = find_bonds(structure.positions, numbers)
    polar = find_polar(structure, bonds)
    metal = METALS[numbers]
    donor = metal.copy()
    donor[list(polar.donors)] = True
    carbon = numbers == _CARBON
    hydrophobic = (carbon & ~bonds.any_neighbour(~carbon)) | np.isin(numbers, _HALOGENS)
    hydrogens, parents = _hydrogens(structure, bonds, polar)
    return Receptor(
        structure=replace(structure, notes=(*structure.notes, *polar.notes)),
        donor=donor,
        acceptor=polar.acceptor,
        hydrophobic=hydrophobic,
        metal=metal,
        hydrogens=hydrogens,
        hydrogen_parent=parents,
        states=polar.states,
    )
