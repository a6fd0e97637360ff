"""The roles of a receptor's atoms, by names and rules, since no file holds its bond orders.

Of amino acids they say what ProLIF 2.2 reads off molecules with all bonds and hydrogens:

- acceptors are those of `polar`; donors every atom with polar hydrogens, and free thiols;
- hydrophobic are aromatic carbons, chain CH2 and CH, and sulphur without hydrogen, none beside
  nitrogen or oxygen; methyl groups are not, nor is a ring's CH2 (`_HYDROPHOBIC`).  Other groups
  have the hydrophobic atoms of `receptor`;
- a nitrogen with four bonds is a cation, so are those of arginine and of histidine with two
  hydrogens; terminal oxygens are anions in pairs on carbon, in threes on sulphur, always on
  phosphorus;
- rings are aromatic by name, or else flat with short bonds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from scipy.spatial.distance import cdist

from moldiff.protein.bonds import Bonds, find_bonds
from moldiff.protein.interactions.features import (
    Features,
    Floats,
    Hydrogens,
    Index,
    Ring,
    atoms,
    pairs,
)
from moldiff.protein.residues import STANDARD_BASES, TEMPLATES, standard_name

if TYPE_CHECKING:
    from moldiff.protein.receptor import Receptor

__all__ = ["receptor_features"]

_N, _O, _P, _S, _SE = 7, 8, 15, 16, 34
_LENGTH = {_N: 1.01, _O: 0.96, _S: 1.34}  # Å, of a bond to hydrogen
_RING_BOND, _RING_FLAT = 1.46, 0.1  # Å: longest mean bond of an aromatic ring, rms off its plane
_DISULFIDE = 2.5  # Å
_AT_METAL = 2.8  # Å: a thiol this near a metal has no hydrogen
_ACID = {6: 2, _P: 1, _S: 3}  # terminal oxygens that make an acid, by the atom they are on
_AROMATIC = frozenset(("PHE", "TYR", "TRP", "HIS", *STANDARD_BASES))

_HYDROPHOBIC = {
    residue: frozenset(names.split())
    for residue, names in {
        **dict.fromkeys("ARG GLN GLU".split(), "CB CG"),
        **dict.fromkeys("ASN ASP CYS HIS".split(), "CB"),
        "ILE": "CB CG1",
        "LEU": "CB CG",
        "LYS": "CB CG CD",
        "MET": "CB CG SD",
        "MSE": "CB CG",
        "PHE": "CB CG CD1 CD2 CE1 CE2 CZ",
        "TRP": "CB CG CD2 CE3 CZ2 CZ3 CH2",
        "TYR": "CB CG CD1 CD2 CE1 CE2",
        "VAL": "CB",
    }.items()
}
_AROMATIC = frozenset(("PHE", "TYR", "TRP", "HIS", *STANDARD_BASES))


@lru_cache(maxsize=4)
def receptor_features(receptor: Receptor) -> Features:
    """Return the features of a receptor; they are kept for the next ligand."""
    structure = receptor.structure
    numbers, bonds = structure.numbers, find_bonds(structure.positions, structure.numbers)
    x = structure.positions.astype(np.float64)
    cations = _cations(receptor, bonds)
    rings = _rings(receptor, bonds, x)
    accepts = np.isin(numbers, (_N, _O, _P, _S, _SE))
    accepts[[atom for ring in rings for atom in ring.atoms]] = True
    accepts[cations] = False
    neighbours = [(a, b) for a in np.flatnonzero(accepts).tolist() for b in bonds.of(a)]
    return Features(
        x=x,
        hydrophobic=_hydrophobic(receptor, bonds),
        hydrogens=_hydrogens(receptor, bonds, x),
        acceptors=np.flatnonzero(receptor.acceptor & np.isin(numbers, (_N, _O))),
        cations=cations,
        anions=_anions(receptor, bonds),
        rings=rings,
        halogens=pairs(()),
        halogen_acceptors=pairs(neighbours),
        metals=np.flatnonzero(receptor.metal),
        chelators=atoms(()),
    )


def _hydrophobic(receptor: Receptor, bonds: Bonds) -> Index:
    structure = receptor.structure
    table = [
        _HYDROPHOBIC.get(standard_name(r.name), frozenset()) if _known(r.name) else None
        for r in structure.residues
    ]
    hydrophobic = _bridging(receptor, bonds)
    for atom, (name, residue) in enumerate(zip(structure.names, structure.residue, strict=True)):
        names = table[residue]
        hydrophobic[atom] |= receptor.hydrophobic[atom] if names is None else name in names
    return np.flatnonzero(hydrophobic)


def _bridging(receptor: Receptor, bonds: Bonds) -> npt.NDArray[np.bool_]:
    """Sulphurs between two atoms, (m,): a strained disulfide counts too."""
    sulphur = np.flatnonzero(receptor.structure.numbers == _S)
    bridging = np.zeros(len(receptor), dtype=bool)
    x = receptor.structure.positions[sulphur]
    paired = (cdist(x, x) < _DISULFIDE).sum(1) > 1
    bridging[sulphur[paired | (bonds.degree[sulphur] == 2)]] = True
    return bridging


def _known(name: str) -> bool:
    return standard_name(name) in TEMPLATES


def _hydrogens(receptor: Receptor, bonds: Bonds, x: Floats) -> Hydrogens:
    structure, parents = receptor.structure, receptor.hydrogen_parent
    count = np.bincount(parents, minlength=len(x))
    rows = []
    for parent, position in zip(parents.tolist(), receptor.hydrogens, strict=True):
        around, number = bonds.of(parent), int(structure.numbers[parent])
        turns = not around or (len(around) == 1 and (number == _O or count[parent] == 3))
        behind = x[around[0]] if around else None
        rows.append((parent, None if turns else position, behind, _LENGTH.get(number, 1.0)))
    metals = x[receptor.metal]
    thiols = (structure.numbers == _S) & ~_bridging(receptor, bonds)
    for atom in np.flatnonzero(thiols & (bonds.degree == 1)).tolist():
        free = structure.residues[structure.residue[atom]].name == "CYS"
        if free and not (np.linalg.norm(metals - x[atom], axis=1) < _AT_METAL).any():
            rows.append((atom, None, x[bonds.of(atom)[0]], _LENGTH[_S]))
    return Hydrogens.of(rows)


def _cations(receptor: Receptor, bonds: Bonds) -> Index:
    structure = receptor.structure
    hydrogens = np.bincount(receptor.hydrogen_parent, minlength=len(structure))
    nitrogen = structure.numbers == _N
    cations = nitrogen & (bonds.degree + hydrogens == 4)
    for atom in np.flatnonzero(nitrogen).tolist():
        residue = structure.residues[structure.residue[atom]].name
        if structure.names[atom] in ("NE", "NH1", "NH2"):
            cations[atom] = residue == "ARG"
        elif structure.names[atom] == "NZ" and residue == "LYN":
            cations[atom] = False
    rings: dict[int, list[int]] = {}
    for atom in np.flatnonzero(nitrogen & (hydrogens == 1)).tolist():
        number = int(structure.residue[atom])
        his = standard_name(structure.residues[number].name) == "HIS"
        if his and structure.names[atom] in ("ND1", "NE2"):
            rings.setdefault(number, []).append(atom)
    cations[[atom for ring in rings.values() if len(ring) == 2 for atom in ring]] = True
    return np.flatnonzero(cations)


def _anions(receptor: Receptor, bonds: Bonds) -> Index:
    """Oxygens with one neighbour and no hydrogen, as many on it as make it an acid."""
    structure = receptor.structure
    single = (structure.numbers == _O) & (bonds.degree == 1) & ~receptor.donor
    groups: dict[int, list[int]] = {}
    for atom in np.flatnonzero(single).tolist():
        groups.setdefault(bonds.of(atom)[0], []).append(atom)
    acids = [
        atom
        for centre, oxygens in groups.items()
        if len(oxygens) >= _ACID.get(int(structure.numbers[centre]), 9)
        for atom in oxygens
    ]
    return atoms(sorted(acids))


def _rings(receptor: Receptor, bonds: Bonds, x: Floats) -> tuple[Ring, ...]:
    structure = receptor.structure
    named = [standard_name(r.name) in _AROMATIC for r in structure.residues]
    plain = [
        _known(r.name) and not aromatic
        for r, aromatic in zip(structure.residues, named, strict=True)
    ]
    graph, place = Chem.RWMol(), {}
    for atom in np.flatnonzero(~np.array(plain, dtype=bool)[structure.residue]).tolist():
        place[atom] = graph.AddAtom(Chem.Atom(int(structure.numbers[atom])))
    for atom, start in place.items():
        for other in bonds.of(atom):
            if other > atom and other in place:
                graph.AddBond(start, place[other], Chem.BondType.SINGLE)
    Chem.FastFindRings(graph)
    back = list(place)
    rings = []
    for ring in graph.GetRingInfo().AtomRings():
        members = [back[i] for i in ring]
        if len(members) in (5, 6) and (named[structure.residue[members[0]]] or _flat(x[members])):
            rings.append(Ring.of(x, members))
    return tuple(rings)


def _flat(x: Floats) -> bool:
    """Whether the atoms (n, 3) of a ring lie in a plane at the distances of aromatic bonds."""
    bonds = np.linalg.norm(x - np.roll(x, 1, axis=0), axis=1)
    off = np.linalg.svd(x - x.mean(0), compute_uv=False)[-1] / np.sqrt(len(x))
    return bool(bonds.mean() < _RING_BOND and off < _RING_FLAT)
