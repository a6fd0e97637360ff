"""What the hydrogens that a file has say about who donates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.protein.conformation import listed
from moldiff.protein.residues import standard_name
from moldiff.protein.structure import Structure

__all__ = ["Protons", "read_protons"]

_NITROGEN, _OXYGEN = 7, 8
# Side-chain nitrogens that have a hydrogen in every state: a file without theirs is not complete.
_ALWAYS = {("ARG", "NH1"), ("ARG", "NH2"), ("ASN", "ND2"), ("GLN", "NE2"), ("TRP", "NE1")}
_COMPLETE = 0.9
_ACIDS = {("ASP", "OD1"), ("ASP", "OD2"), ("GLU", "OE1"), ("GLU", "OE2")}
_BY_DEGREE = {0: "water", 1: "ammonium", 2: "plane", 3: "pyramid"}

_IGNORED = "the file's hydrogens are on carbons alone: donors are found by tables and geometry"


@dataclass(frozen=True, eq=False)
class Protons:
    """The hydrogens of a file, by atom.

    Attributes
    ----------
    structure:
        The m heavy atoms.
    count:
        (m,) hydrogens that the file has on each.
    decisive:
        (m,) bool, whether an atom without any has none.
    """

    structure: Structure
    count: npt.NDArray[np.intp]
    decisive: npt.NDArray[np.bool_]

    def decide(self, atom: int, standing: str, degree: int) -> str:
        """Return how the hydrogens of an atom stand, given what tables and rules say.

        The words are those of `polar`: empty without any, "acceptor" for a nitrogen that accepts.
        """
        oxygen = self.structure.numbers[atom] == _OXYGEN
        if self.count[atom]:
            if standing and standing != "acceptor":
                return standing
            return "hydroxyl" if oxygen and degree else _BY_DEGREE.get(degree, "pyramid")
        if not self.decisive[atom] or not standing:
            return standing
        return "" if oxygen or degree > 2 else "acceptor"

    def acid(self, atom: int) -> bool:
        """Return whether an atom is an oxygen of a side chain's carboxylate."""
        residue = self.structure.residues[int(self.structure.residue[atom])]
        return (standard_name(residue.name), self.structure.names[atom]) in _ACIDS

    def notes(self, donors: Mapping[int, str]) -> list[str]:
        """Return what the hydrogens decided, a sentence each; nothing of a file without any."""
        if not self.count.any() and not self.decisive.any():
            return [] if not len(self.structure.hydrogens) else [_IGNORED]
        acids = [
            f"{self.structure.residues[int(self.structure.residue[atom])]} "
            f"{self.structure.names[atom]}"
            for atom in np.flatnonzero(self.count).tolist()
            if self.acid(atom)
        ]
        polar = int((self.count[list(donors)] > 0).sum()) if donors else 0
        notes = [f"hydrogens of the file kept on {polar} of {len(donors)} donors"]
        if acids:
            notes.append(f"acids protonated in the file: {listed(acids)}")
        return notes


def read_protons(structure: Structure) -> Protons:
    """Return what the hydrogens of a structure say."""
    m = len(structure)
    polar = np.isin(structure.numbers, (_NITROGEN, _OXYGEN))
    every = np.bincount(structure.hydrogen_parent, minlength=m)
    count = np.where(polar, every, 0)
    protein = structure.of_kind("protein")
    expected, backbone = [], np.zeros(m, dtype=bool)
    for atom in np.flatnonzero(polar & protein).tolist():
        residue = standard_name(structure.residues[int(structure.residue[atom])].name)
        name = structure.names[atom]
        if (residue, name) in _ALWAYS:
            expected.append(atom)
        elif name == "N" and residue != "PRO":
            expected.append(atom)
            backbone[atom] = True
    complete = bool(expected) and float((count[expected] > 0).mean()) >= _COMPLETE
    carrying = structure.of_kind("cofactor", "water") & (every > 0)
    carrying |= backbone & (count > 0) & complete
    whole = np.isin(structure.residue, structure.residue[carrying])
    return Protons(structure, count, polar & whole)
