"""Receptors and ligands as PDBQT, the file format of AutoDock and Vina.

Files are written from `moldiff.docking.energy.atom_types` and moldiff's rotors, so that Vina uses
the same atoms, donors, acceptors and torsions.  Vina derives hydrophobic carbons and donors from
the distances between the atoms it reads, including hydrogens on donors ("HD").  Aromatic carbons
("A") are like all others to Vina, but not to networks that read these files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from moldiff.docking.energy.atom_types import ligand_types
from moldiff.protein.interactions.receptor import receptor_features

if TYPE_CHECKING:
    from rdkit.Chem import Mol

    from moldiff.chem.rotors import Rotors
    from moldiff.protein.receptor import Receptor

__all__ = ["LigandFile", "ligand_pdbqt", "read_models", "receptor_pdbqt"]

# Atomic number -> AutoDock type; carbon, nitrogen, oxygen and hydrogen depend on more.
_TYPES = {
    6: "C",
    7: "N",
    8: "OA",
    9: "F",
    14: "Si",
    15: "P",
    16: "S",
    17: "Cl",
    34: "S",
    35: "Br",
    53: "I",
    85: "At",
}
#: Metals Vina reads by name; it treats all of them alike, so any other is written as zinc.
_METALS = {11: "Na", 12: "Mg", 19: "K", 20: "Ca", 25: "Mn", 26: "Fe", 27: "Co", 28: "Ni"}
_METALS |= {29: "Cu", 30: "Zn", 48: "Cd", 80: "Hg", 92: "U"}


@dataclass(frozen=True)
class LigandFile:
    """A ligand's PDBQT text, and the heavy atom's index of each atom line, or -1 (hydrogen)."""

    text: str
    order: tuple[int, ...]


def receptor_pdbqt(receptor: Receptor, *, aromatic: bool = False) -> str:
    """Return a rigid receptor's PDBQT text.

    ``aromatic`` gives carbons of aromatic rings the type A, which Vina's function does not tell
    from C, and other programs do.
    """
    structure = receptor.structure
    lines: list[str] = []
    rings = receptor_features(receptor).rings if aromatic else ()
    flat = {int(atom) for ring in rings for atom in ring.atoms}
    for i, position in enumerate(structure.positions):
        residue = structure.residues[int(structure.residue[i])]
        kind = _receptor_type(
            int(structure.numbers[i]), bool(receptor.metal[i]), bool(receptor.acceptor[i])
        )
        kind = "A" if kind == "C" and i in flat else kind
        lines.append(_atom_line(len(lines) + 1, structure.names[i], residue, position, kind))
    for parent, position in zip(receptor.hydrogen_parent, receptor.hydrogens, strict=True):
        residue = structure.residues[int(structure.residue[int(parent)])]
        lines.append(_atom_line(len(lines) + 1, "H", residue, position, "HD"))
    return "\n".join(lines) + "\n"


def ligand_pdbqt(
    mol: Mol, rotors: Rotors, positions: Float[np.ndarray, "n 3"] | None = None
) -> LigandFile | str:
    """Return a ligand's PDBQT with its tree of torsions, or the reason for failure.

    Parameters
    ----------
    mol:
        The molecule; its n heavy atoms keep their order, hydrogens are placed anew.
    rotors:
        Rotors over the heavy atoms.
    positions:
        Heavy-atom positions in Å; None takes the molecule's first conformer.
    """
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    heavy = Chem.RemoveAllHs(mol)
    unknown = {a.GetSymbol() for a in heavy.GetAtoms() if a.GetAtomicNum() not in _TYPES}
    if unknown:
        return f"Vina has no ligand atom type for {', '.join(sorted(unknown))}"
    types = ligand_types(heavy)
    conformer = heavy.GetConformer()
    for i, point in enumerate([] if positions is None else np.asarray(positions, dtype=float)):
        conformer.SetAtomPosition(i, Point3D(*point))
    donors = [int(i) for i in np.flatnonzero(types.donor.numpy())]
    full = Chem.AddHs(heavy, addCoords=True, onlyOnAtoms=donors)
    kinds = [
        _ligand_type(atom, accepts)
        for atom, accepts in zip(heavy.GetAtoms(), types.acceptor.tolist(), strict=True)
    ]
    writer = _TreeWriter(full, kinds, np.asarray(rotors.axis), np.asarray(rotors.moves))
    return writer.write()


def read_models(text: str, order: Sequence[int]) -> Float[np.ndarray, "p n 3"]:
    """Read the heavy atoms of all models in a PDBQT that Vina wrote for a `LigandFile`.

    Vina keeps the order of the lines; ``order`` gives the heavy atom of each line.
    """
    lines = (line for line in text.splitlines() if line.startswith(("ATOM", "HETATM")))
    points = np.array([[float(line[k : k + 8]) for k in (30, 38, 46)] for line in lines])
    points = points.reshape(-1, len(order), 3)
    atoms = np.asarray(order)
    ordered = np.empty((len(points), int((atoms >= 0).sum()), 3))
    ordered[:, atoms[atoms >= 0]] = points[:, atoms >= 0]
    return ordered


class _TreeWriter:
    """Writes the fragments of a ligand as nested branches."""

    def __init__(self, mol: Any, kinds: list[str], axis: np.ndarray, moves: np.ndarray) -> None:
        self.mol, self.kinds, self.axis = mol, kinds, axis.reshape(-1, 2)
        self.points = mol.GetConformer().GetPositions()
        rank = np.arange(1, len(self.axis) + 1)[:, None]
        self.fragment = (moves.reshape(len(self.axis), len(kinds)) * rank).max(0, initial=0) - 1
        self.serial: dict[int, int] = {}
        self.order: list[int] = []

    def write(self) -> LigandFile:
        lines = ["ROOT", *self._atoms(-1), "ENDROOT", *self._branches(-1)]
        text = "\n".join([*lines, f"TORSDOF {len(self.axis)}"]) + "\n"
        return LigandFile(text, tuple(self.order))

    def _branches(self, fragment: int) -> Iterator[str]:
        for k, (a, b) in enumerate(self.axis):
            if self.fragment[a] != fragment or self.fragment[b] != k:
                continue
            atoms = list(self._atoms(k, first=int(b)))
            ends = f"{self.serial[int(a)]:4d}{self.serial[int(b)]:4d}"
            yield f"BRANCH{ends}"
            yield from atoms
            yield from self._branches(k)
            yield f"ENDBRANCH{ends}"

    def _atoms(self, fragment: int, first: int | None = None) -> Iterator[str]:
        members = [int(i) for i in np.flatnonzero(self.fragment == fragment)]
        for i in sorted(members, key=lambda i: (i != first, i)):
            yield self._line(i, i, self.kinds[i])
            self.serial[i] = len(self.order)
            for other in self.mol.GetAtomWithIdx(i).GetNeighbors():
                if other.GetAtomicNum() == 1:
                    yield self._line(other.GetIdx(), -1, "HD")

    def _line(self, atom: int, heavy: int, kind: str) -> str:
        self.order.append(heavy)
        name = self.mol.GetAtomWithIdx(atom).GetSymbol()
        return _atom_line(len(self.order), name, None, self.points[atom], kind)


def _ligand_type(atom: Any, accepts: bool) -> str:
    number = atom.GetAtomicNum()
    if number == 6 and atom.GetIsAromatic():
        return "A"
    return "NA" if number == 7 and accepts else _TYPES[number]


def _receptor_type(number: int, metal: bool, accepts: bool) -> str:
    if metal:
        return _METALS.get(number, "Zn")
    if number in (7, 8):
        return ("N" if number == 7 else "O") + ("A" if accepts else "")
    return _TYPES.get(number, "P" if number == 33 else "C")


def _atom_line(serial: int, name: str, residue: Any, point: np.ndarray, kind: str) -> str:
    """Format an atom in the columns of PDB, with charge 0 and the AutoDock type at the end."""
    place = "LIG A   1 "
    if residue is not None:
        chain, insertion = (residue.chain or " ")[0], (residue.insertion or " ")[0]
        place = f"{residue.name[:3]:>3} {chain}{residue.number % 10000:4d}{insertion}"
    x, y, z = point
    padded = f"{name[:4]:<4}" if len(name) > 3 else f" {name:<3}"
    return (
        f"ATOM  {serial % 100000:5d} {padded} {place}   {x:8.3f}{y:8.3f}{z:8.3f}"
        f"  1.00  0.00    {0.0:+6.3f} {kind:<2}"
    )
