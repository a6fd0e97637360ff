"""Which atoms of a receptor donate and accept hydrogen bonds.

Amino acids and nucleobases are typed by the tables of `residues`; everything else (cofactors,
sugars, modified residues) by its bonds and the rules below, which read protonation at pH 7 from
the geometry of the heavy atoms:

- Oxygen accepts.  It donates as well if it has one heavy neighbour, a carbon at a single bond's
  distance (> 1.30 Å) that has no second such oxygen (carboxylates are deprotonated, as are
  phosphates and sulphates), or none at all (water).
- Nitrogen with one neighbour donates (amines, amides), unless the bond is a triple one.
- Nitrogen with two neighbours accepts if it is pyridine-like, else it donates: in conjugated
  rings an angle of more than 120° (six-membered) or 107° (five-membered) tells the N-H (Singh,
  Acta Cryst. 19 (1965) 861), elsewhere a bond shorter than 1.30 Å the imine.
- Nitrogen with three neighbours donates if it is pyramidal (a protonated tertiary amine).
- Sulphur does neither, as in X-Score (Wang, Lai & Wang 2002) and Vina.

Hydrogens in the file come before tables and rules: what carries one donates.  Where a file has
those that always are there, what carries none does not donate.  Histidines whose nitrogens have no
hydrogen in the file, and no name that tells, get the tautomer their surroundings ask for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.protein.bonds import Bonds
from moldiff.protein.elements import METALS
from moldiff.protein.protons import Protons, read_protons
from moldiff.protein.residues import (
    BASES,
    DONORS,
    HISTIDINES,
    TEMPLATES,
    protonation,
    standard_name,
)
from moldiff.protein.structure import Residue, Structure

__all__ = ["Polar", "State", "find_polar"]

_SINGLE_CO, _TRIPLE_CN, _IMINE_CN, _SINGLE_CN = 1.30, 1.20, 1.30, 1.43  # Å
_NH_ANGLE = {5: 107.0, 6: 120.0}  # degrees: ring nitrogens with a hydrogen are wider
_PYRAMIDAL = 342.0  # degrees: sum of the three angles at a flat nitrogen is 360
_REACH, _METAL_REACH = 3.5, 2.9  # Å: hydrogen bonds and coordination of histidines
_NITROGEN, _OXYGEN, _CARBON = 7, 8, 6
_FILE, _NAME, _BONDS = "the file's hydrogens", "its name", "its hydrogen bonds"


@dataclass(frozen=True)
class State:
    """The protonation of a histidine or of an acid that has its hydrogen.

    ``atoms`` are those with the hydrogen, ``why`` is what decided: its name, the file's hydrogens,
    or its hydrogen bonds.
    """

    residue: Residue
    atoms: tuple[str, ...]
    why: str


@dataclass(frozen=True, eq=False)
class Polar:
    """Acceptors (m,) bool and, for each donor, how its hydrogens stand (`hydrogens.PLACERS`).

    ``states`` are the residues that could be otherwise.
    """

    acceptor: npt.NDArray[np.bool_]
    donors: dict[int, str]
    notes: tuple[str, ...] = ()
    states: tuple[State, ...] = ()


def find_polar(structure: Structure, bonds: Bonds) -> Polar:
    """Find donors and acceptors by the tables and rules above."""
    acceptor = structure.numbers == _OXYGEN
    donors: dict[int, str] = {}
    rings: dict[int, dict[str, int]] = {}
    degree = bonds.degree
    file = read_protons(structure)
    for atom in np.flatnonzero(np.isin(structure.numbers, (_NITROGEN, _OXYGEN))).tolist():
        number, name = int(structure.residue[atom]), structure.names[atom]
        residue = structure.residues[number]
        if standard_name(residue.name) == "HIS" and name in ("ND1", "NE2"):
            rings.setdefault(number, {})[name] = atom
            continue
        standing = _from_tables(residue.name, residue.kind, name, int(degree[atom]))
        if standing is None:
            rule = _oxygen if structure.numbers[atom] == _OXYGEN else _nitrogen
            standing = rule(structure, bonds, atom)
        standing = file.decide(atom, standing, int(degree[atom]))
        if standing == "acceptor":
            acceptor[atom] = True
        elif standing:
            donors[atom] = standing
    states = [_acid(structure, atom, file) for atom in donors if file.acid(atom)]
    states += _histidines(structure, rings, donors, acceptor, file)
    notes = (*_notes(states), *file.notes(donors))
    return Polar(acceptor, donors, notes, tuple(states))


def _acid(structure: Structure, atom: int, file: Protons) -> State:
    """The state of an acid with its hydrogen."""
    residue = structure.residues[int(structure.residue[atom])]
    return State(residue, (structure.names[atom],), _FILE if file.count[atom] else _NAME)


def _from_tables(residue: str, kind: str, name: str, degree: int) -> str | None:
    """Standing of an atom of a standard residue; "" if it does not donate, None if unknown."""
    residue, standard = protonation(residue), standard_name(residue) in TEMPLATES
    if kind == "protein" and name == "N" and standard:
        if residue == "PRO":
            return ""  # also where the residue before it is missing
        return "ammonium" if degree < 2 else "plane"
    if kind != "protein" and name in BASES.get(residue, {}):
        return BASES[residue][name] or "acceptor"
    if kind != "protein" or not standard:
        return None
    standing = DONORS.get((residue, name), "")
    # A glycosylated, phosphorylated or otherwise bonded hydroxyl has no hydrogen left.
    return "" if standing == "hydroxyl" and degree > 1 else standing


def _oxygen(structure: Structure, bonds: Bonds, atom: int) -> str:
    """Standing of the hydrogen of an oxygen outside the tables."""
    around = bonds.of(atom)
    if not around:
        return "water"
    carbon = around[0]
    if len(around) > 1 or structure.numbers[carbon] != _CARBON:
        return ""
    twins = [
        other
        for other in bonds.of(carbon)
        if structure.numbers[other] == _OXYGEN and len(bonds.of(other)) == 1
    ]
    single = _distance(structure, atom, carbon) > _SINGLE_CO
    return "hydroxyl" if single and not (len(twins) > 1 and len(bonds.of(carbon)) == 3) else ""


def _nitrogen(structure: Structure, bonds: Bonds, atom: int) -> str:
    """Standing of the hydrogens of a nitrogen outside the tables, or "acceptor"."""
    around = bonds.of(atom)
    lengths = [_distance(structure, atom, other) for other in around]
    if len(around) == 0:
        return "water"
    if len(around) == 1:
        if lengths[0] < _TRIPLE_CN:
            return "acceptor"
        return "ammonium" if lengths[0] > _SINGLE_CN else "amide"
    if len(around) == 2:
        return _two_bonds(structure, bonds, atom, sorted(lengths))
    if len(around) == 3:
        flat = sum(_angle(structure, atom, around[i], around[i - 1]) for i in range(3))
        return "pyramid" if flat < _PYRAMIDAL else ""
    return ""


def _two_bonds(structure: Structure, bonds: Bonds, atom: int, lengths: list[float]) -> str:
    """Standing of the hydrogen of a nitrogen between two atoms, or "acceptor"."""
    a, b = bonds.of(atom)
    ring = _ring_size(bonds, atom, a, b)
    shortest, longest = lengths
    if shortest > _SINGLE_CN:
        return "ammonium2"
    if longest > _SINGLE_CN:  # one side is saturated, so the other is an imine or there is an H
        ring = 0
    if ring in _NH_ANGLE:
        return "plane" if _angle(structure, atom, a, b) > _NH_ANGLE[ring] else "acceptor"
    return "plane" if shortest > _IMINE_CN else "acceptor"


def _ring_size(bonds: Bonds, atom: int, a: int, b: int) -> int:
    """Size (5 or 6) of the smallest ring through a-atom-b; 0 if there is none."""
    ends = [{n for n in bonds.of(side) if n != atom} for side in (a, b)]
    beyond = {n for end in ends[0] for n in bonds.of(end) if n not in (a, atom)}
    if beyond & ends[1]:
        return 5
    return 6 if beyond & {n for end in ends[1] for n in bonds.of(end) if n not in (b, atom)} else 0


def _distance(structure: Structure, a: int, b: int) -> float:
    return float(np.linalg.norm(structure.positions[a] - structure.positions[b]))


def _angle(structure: Structure, centre: int, a: int, b: int) -> float:
    """Angle a-centre-b in degrees."""
    u = structure.positions[a] - structure.positions[centre]
    v = structure.positions[b] - structure.positions[centre]
    cosine = float(u @ v) / max(float(np.linalg.norm(u) * np.linalg.norm(v)), 1e-6)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _histidines(
    structure: Structure,
    rings: dict[int, dict[str, int]],
    donors: dict[int, str],
    acceptor: npt.NDArray[np.bool_],
    file: Protons,
) -> list[State]:
    """Protonate the histidines, in place; return the state of each.

    Hydrogens in the file decide, then the residue's name, then the surroundings.

    Every nitrogen counts the atoms a hydrogen would point at: acceptors that do not donate for
    it, donors that do not accept against it, metals decide against it.  The better one carries
    the hydrogen (NE2 on a tie, the commoner tautomer), both do where both count above zero.
    """
    states: list[State] = []
    tree = cKDTree(structure.positions)
    charge = acceptor.astype(np.int8)
    charge[list(donors)] -= 1
    for number, ring in rings.items():
        residue = structure.residues[number]
        given = tuple(n for n, atom in sorted(ring.items()) if file.count[atom])
        protonated = given or HISTIDINES.get(protonation(residue.name))
        why = _FILE if given else _NAME if protonated else _BONDS
        if protonated is None:
            scores = {n: _score(structure, tree, charge, atom) for n, atom in ring.items()}
            best = max(scores, key=lambda n: (scores[n], n == "NE2"))
            both = len(scores) == 2 and min(scores.values()) > 0
            protonated = ("ND1", "NE2") if both else (best,)
        for n, atom in ring.items():
            acceptor[atom] = n not in protonated
            if n in protonated:
                donors[atom] = "plane"
        states.append(State(residue, protonated, why))
    return states


def _notes(states: list[State]) -> list[str]:
    """How many histidines are of each kind, and what decided, as a note."""
    rings = [state for state in states if standard_name(state.residue.name) == "HIS"]
    kinds = {("ND1",): 0, ("NE2",): 0, ("ND1", "NE2"): 0}
    for state in rings:
        kinds[state.atoms] += 1
    text = ", ".join(f"{count} with H on {' and '.join(k)}" for k, count in kinds.items())
    sources = [(f"{why}", sum(s.why == why for s in rings)) for why in (_FILE, _NAME, _BONDS)]
    by = ", ".join(f"{count} by {why.replace('its', 'their')}" for why, count in sources if count)
    return [f"histidines: {text}; decided {by}"] if rings else []


def _score(structure: Structure, tree: cKDTree, charge: npt.NDArray[np.int8], atom: int) -> float:
    """How much the surroundings of a histidine nitrogen ask for a hydrogen on it."""
    residue = structure.residue[atom]
    origin = structure.positions[atom]
    near = np.array(tree.query_ball_point(origin, _REACH), dtype=np.intp)
    ring = near[(structure.residue[near] == residue) & (near != atom)]
    others = near[structure.residue[near] != residue]
    if not len(others):
        return 0.0
    bonded = ring[np.linalg.norm(structure.positions[ring] - origin, axis=1) < 1.6]
    outward = (origin - structure.positions[bonded]).sum(axis=0)
    step = structure.positions[others] - origin
    far = np.linalg.norm(step, axis=1)
    facing = step @ outward > 0.7 * far * np.linalg.norm(outward)
    metal = METALS[structure.numbers[others]]
    score = float(charge[others[facing & ~metal]].sum())
    return score - 3.0 * float((metal & (far < _METAL_REACH)).any())
