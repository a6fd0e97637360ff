"""Side chains by rotamers: ideal geometry, and the torsions that are usual.

Bond lengths and angles are the average ones of Biopython's internal coordinates.  The torsions of
``rotamers.csv`` and their shares, apart for helix-like backbones (region 0) and all others (region
1), were counted in crystal structures by ``scripts/rotamer_table.py``.
"""

from __future__ import annotations

import csv
import math
import warnings
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from moldiff.geometry.arrays import torsions
from moldiff.protein.backbone import LETTERS, frames_of
from moldiff.protein.residues import TEMPLATES

__all__ = ["CHI", "REGIONS", "Rotamers", "region", "rotamers"]

Array = npt.NDArray[np.float64]

CHI: dict[str, tuple[tuple[str, ...], ...]] = {
    name: tuple(tuple(quad.split()) for quad in quads)
    for name, quads in {
        "ARG": ("N CA CB CG", "CA CB CG CD", "CB CG CD NE", "CG CD NE CZ"),
        "ASN": ("N CA CB CG", "CA CB CG OD1"),
        "ASP": ("N CA CB CG", "CA CB CG OD1"),
        "CYS": ("N CA CB SG",),
        "GLN": ("N CA CB CG", "CA CB CG CD", "CB CG CD OE1"),
        "GLU": ("N CA CB CG", "CA CB CG CD", "CB CG CD OE1"),
        "HIS": ("N CA CB CG", "CA CB CG ND1"),
        "ILE": ("N CA CB CG1", "CA CB CG1 CD1"),
        "LEU": ("N CA CB CG", "CA CB CG CD1"),
        "LYS": ("N CA CB CG", "CA CB CG CD", "CB CG CD CE", "CG CD CE NZ"),
        "MET": ("N CA CB CG", "CA CB CG SD", "CB CG SD CE"),
        "PHE": ("N CA CB CG", "CA CB CG CD1"),
        "SER": ("N CA CB OG",),
        "THR": ("N CA CB OG1",),
        "TRP": ("N CA CB CG", "CA CB CG CD1"),
        "TYR": ("N CA CB CG", "CA CB CG CD1"),
        "VAL": ("N CA CB CG1",),
    }.items()
}
"""Atoms of the torsions of each side chain that has any."""

REGIONS = 2
_BONDED = 1.95  # Å


@dataclass(frozen=True, eq=False)
class Rotamers:
    """The r usual conformations of the k side-chain atoms of an amino acid.

    Attributes
    ----------
    names:
        The k atoms.
    positions:
        (r, k, 3) in the frame of the residue (`moldiff.protein.backbone`), Å.
    shares:
        (`REGIONS`, r) how often they are found, with backbones of each region.
    """

    names: tuple[str, ...]
    positions: Array
    shares: Array


def region(phi: float, psi: float) -> int:
    """Return the region of backbone torsions in degrees: 0 is like a helix, 1 any other."""
    return 0 if -160 < phi < 0 and -120 < psi < 50 else 1


@cache
def rotamers(name: str) -> Rotamers:
    """Return the rotamers of one of the twenty amino acids, by its three letters."""
    atoms = _templates()[name]
    names = TEMPLATES[name]
    rows = [row for row in _table() if row["residue"] == name]
    if name not in CHI:
        own = np.array([atoms[atom] for atom in names]).reshape(1, len(names), 3)
        return Rotamers(names, own, np.ones((REGIONS, 1)))
    turned = [
        _turned(name, atoms, [float(row[f"chi{k + 1}"]) for k in range(len(CHI[name]))])
        for row in rows
    ]
    positions = np.array([[one[atom] for atom in names] for one in turned])
    shares = np.array([[float(row[f"share{k}"]) for row in rows] for k in range(REGIONS)])
    return Rotamers(names, positions, shares)


@lru_cache(maxsize=1)
def _table() -> list[dict[str, str]]:
    path = files("moldiff") / "protein" / "rotamers.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@lru_cache(maxsize=1)
def _templates() -> dict[str, dict[str, Array]]:
    """The atoms of each amino acid in the frame of its backbone, with any torsions."""
    from Bio.PDB.PICIO import read_PIC_seq  # brings all of Bio.PDB: only when needed
    from Bio.Seq import Seq
    from Bio.SeqRecord import SeqRecord

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Two more at the ends, which have a terminal oxygen.
        chain = read_PIC_seq(SeqRecord(Seq(f"G{LETTERS}G"), id="x"))
        chain.internal_to_atom_coordinates()
    templates = {}
    for residue in list(chain.get_residues())[1:-1]:
        atoms = {atom.id: atom.coord.astype(np.float64) for atom in residue}
        frame = frames_of(np.stack([atoms[name] for name in ("N", "CA", "C")]))
        centre = atoms["CA"]
        templates[residue.resname] = {k: (x - centre) @ frame for k, x in atoms.items()}
    return templates


def _turned(name: str, atoms: dict[str, Array], chi: list[float]) -> dict[str, Array]:
    """The atoms with side-chain torsions in degrees."""
    atoms = dict(atoms)
    for quad, angle in zip(CHI[name], chi, strict=True):
        a, b, c, d = (atoms[atom] for atom in quad)
        axis = (c - b) / np.linalg.norm(c - b)
        turn = _rotation(axis, math.radians(angle) - float(torsions(a, b, c, d)))
        for atom in _beyond(atoms, quad[1], quad[2]):
            atoms[atom] = c + turn @ (atoms[atom] - c)
    return atoms


def _beyond(atoms: dict[str, Array], before: str, pivot: str) -> set[str]:
    """The atoms that turn about the bond from ``before`` to ``pivot``."""
    members, new = {before, pivot}, [pivot]
    while new:
        here = atoms[new.pop()]
        near = {k for k, x in atoms.items() if np.linalg.norm(x - here) < _BONDED} - members
        members |= near
        new += near
    return members - {before, pivot}


def _rotation(axis: Array, angle: float) -> Array:
    """The rotation (3, 3) about a unit vector by an angle in radians (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: Array = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return turn
