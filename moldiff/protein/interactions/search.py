"""Finding the interactions of a pose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.protein.interactions.features import Features
from moldiff.protein.interactions.geometry import acute, angle, angle_at_hydrogen, meeting, near
from moldiff.protein.interactions.interaction import KINDS, Interaction
from moldiff.protein.interactions.ligand import ligand_features
from moldiff.protein.interactions.receptor import receptor_features

if TYPE_CHECKING:
    from moldiff.protein.interactions.features import Ring
    from moldiff.protein.receptor import Receptor

__all__ = ["find_interactions"]

_REACH = {  # Å
    "hbond": 3.5,
    "salt_bridge": 4.5,
    "halogen_bond": 3.5,
    "metal": 2.8,
    "face": 5.5,
    "edge": 6.5,
    "cation_pi": 4.5,
    "hydrophobic": 4.5,
}
_PLANES = {"face": (0.0, 35.0), "edge": (50.0, 90.0)}  # degrees
_OFFSET = {"face": 33.0, "edge": 30.0, "cation_pi": 30.0}  # degrees
_MEET = 1.5  # Å
_BOND_ANGLE = 130.0  # degrees: the least, at the hydrogen or the halogen
_AT_ACCEPTOR = (80.0, 140.0)  # degrees, of a halogen bond
_CLASH, _CLASH_REACH = 0.75, 4.5
_ION = 1.0  # Å: radius of a metal, among what it binds
_SHORTEST = {"hbond": 2.1, "metal": 1.7}  # Å: nearer, it is a clash as well
#: Kinds of which only the nearest pair with each residue is listed.
_ONE_EACH = frozenset(("salt_bridge", "pi_stacking", "cation_pi", "hydrophobic"))
_PERIODIC = Chem.GetPeriodicTable()

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


def find_interactions(mol: Chem.Mol, receptor: Receptor) -> list[Interaction]:
    """Return the interactions of a sanitised molecule's first conformer.

    They are ordered by kind, nearest first.  Of salt bridges, stacked rings and hydrophobic pairs
    only the nearest with each residue is listed.  Missing hydrogens are added.  A few
    milliseconds, and some more for the first ligand of a receptor.
    """
    if not mol.GetNumAtoms() or not len(receptor):
        return []
    whole = Chem.AddHs(mol, addCoords=True)  # adds only what is missing
    search = _Search(whole, receptor)
    interactions = [*search.bonds(), *search.charges(), *search.halogen_bonds()]
    interactions += search.plain("metal", search.ligand.chelators, search.receptor.metals)
    interactions += [*search.stacks(), *search.cations_on_rings()]
    bonded = {
        (p.ligand, p.receptor) for p in interactions if p.distance >= _SHORTEST.get(p.kind, 9.0)
    }
    clashes = [p for p in search.clashes() if (p.ligand, p.receptor) not in bonded]
    clashing = {(p.ligand, p.receptor) for p in clashes}
    pairs = search.plain("hydrophobic", search.ligand.hydrophobic, search.receptor.hydrophobic)
    interactions += [*clashes, *(p for p in pairs if (p.ligand, p.receptor) not in clashing)]
    order = list(KINDS)
    return list(_thinned(sorted(interactions, key=lambda p: (order.index(p.kind), p.distance))))


def _thinned(interactions: Sequence[Interaction]) -> Iterator[Interaction]:
    """One line for each pair of atoms and kind, and the nearest of `_ONE_EACH` by residue."""
    seen = set()
    for one in interactions:
        each = one.kind in _ONE_EACH
        key = (one.kind, one.residue if each else (one.ligand, one.receptor))
        if key not in seen:
            seen.add(key)
            yield one


class _Search:
    """The features of both sides, and the interactions of each kind between them."""

    def __init__(self, mol: Chem.Mol, receptor: Receptor) -> None:
        self.mol, self.structure = mol, receptor.structure
        self.ligand, self.receptor = ligand_features(mol), receptor_features(receptor)

    def one(
        self, kind: str, role: str, a: Any, b: Any, distance: float, angle: float | None = None
    ) -> Interaction:
        """An interaction of atoms a of the ligand with atoms b of the receptor."""
        ligand, receptor = (
            tuple(int(i) for i in (p if isinstance(p, tuple) else (p,))) for p in (a, b)
        )
        residue = self.structure.residues[int(self.structure.residue[receptor[0]])]
        names = tuple(self.structure.names[i] for i in receptor)
        return Interaction(kind, role, ligand, receptor, residue, names, float(distance), angle)

    def plain(self, kind: str, a: Index, b: Index, role: str = "") -> list[Interaction]:
        """Pairs of atoms within reach of each other."""
        pairs = near(self.ligand.x[a], self.receptor.x[b], _REACH[kind])
        return [self.one(kind, role, a[i], b[j], d) for i, j, d in pairs]

    def charges(self) -> list[Interaction]:
        """Salt bridges, without metal ions."""
        ours, theirs = self.ligand, self.receptor
        return [
            *self.plain("salt_bridge", ours.cations, theirs.anions, "cation"),
            *self.plain("salt_bridge", ours.anions, theirs.cations, "anion"),
        ]

    def bonds(self) -> Iterator[Interaction]:
        """Hydrogen bonds, the straightest of each pair of atoms."""
        ours, theirs = self.ligand, self.receptor
        best: dict[tuple[int, int], tuple[str, float, float]] = {}
        for role, donating, accepting in (("donor", ours, theirs), ("acceptor", theirs, ours)):
            for d, a, distance, bend in _hydrogen_bonds(donating, accepting):
                pair = (d, a) if role == "donor" else (a, d)
                if pair not in best or best[pair][2] < bend:
                    best[pair] = (role, distance, bend)
        for (i, j), (role, distance, bend) in best.items():
            yield self.one("hbond", role, i, j, distance, bend)

    def halogen_bonds(self) -> Iterator[Interaction]:
        """Halogens of the ligand, and acceptors of the receptor."""
        x, y = self.ligand.x, self.receptor.x
        donors, acceptors = self.ligand.halogens, self.receptor.halogen_acceptors
        reach = _REACH["halogen_bond"]
        for i, j, distance in near(x[donors[:, 1]], y[acceptors[:, 0]], reach):
            (carbon, halogen), (atom, neighbour) = donors[i], acceptors[j]
            straight = angle(x[carbon] - x[halogen], y[atom] - x[halogen])
            side = angle(x[halogen] - y[atom], y[neighbour] - y[atom])
            if straight >= _BOND_ANGLE and _AT_ACCEPTOR[0] <= side <= _AT_ACCEPTOR[1]:
                yield self.one("halogen_bond", "donor", halogen, atom, distance, straight)

    def stacks(self) -> Iterator[Interaction]:
        """Stacked rings."""
        ours, theirs = self.ligand, self.receptor
        for i, j, distance in near(_centres(ours), _centres(theirs), _REACH["edge"]):
            a, b = ours.rings[i], theirs.rings[j]
            planes = acute(a.normal, b.normal)
            for form in _PLANES:
                if _stacked(form, a, b, distance, planes):
                    yield self.one("pi_stacking", form, a.atoms, b.atoms, distance, planes)

    def cations_on_rings(self) -> Iterator[Interaction]:
        """Cations above or below a ring."""
        ours, theirs = self.ligand, self.receptor
        for role, charged, flat in (("cation", ours, theirs), ("ring", theirs, ours)):
            cations = charged.x[charged.cations]
            for i, j, distance in near(cations, _centres(flat), _REACH["cation_pi"]):
                cation, ring = charged.cations[i], flat.rings[j]
                offset = acute(ring.normal, cations[i] - ring.centre)
                if offset <= _OFFSET["cation_pi"]:
                    a, b = (cation, ring.atoms) if charged is ours else (ring.atoms, cation)
                    yield self.one("cation_pi", role, a, b, distance, offset)

    def clashes(self) -> Iterator[Interaction]:
        """Heavy atoms much nearer than their radii allow."""
        numbers = np.array([atom.GetAtomicNum() for atom in self.mol.GetAtoms()])
        heavy = np.flatnonzero(numbers > 1)
        radii, others = _radii(numbers[heavy]), _radii(self.structure.numbers)
        others[self.receptor.metals] = _ION
        for i, j, distance in near(self.ligand.x[heavy], self.receptor.x, _CLASH_REACH):
            if distance < _CLASH * (radii[i] + others[j]):
                yield self.one("clash", "", heavy[i], j, distance)


def _hydrogen_bonds(
    donating: Features, accepting: Features
) -> Iterator[tuple[int, int, float, float]]:
    """Donor, acceptor, distance in Å and angle at the hydrogen in degrees."""
    hydrogens = donating.hydrogens
    x, y = donating.x[hydrogens.donor], accepting.x[accepting.acceptors]
    for i, j, distance in near(x, y, _REACH["hbond"]):
        bend = angle_at_hydrogen(hydrogens, i, x[i], y[j])
        if bend >= _BOND_ANGLE:
            yield int(hydrogens.donor[i]), int(accepting.acceptors[j]), distance, bend


def _centres(features: Features) -> Floats:
    return np.array([ring.centre for ring in features.rings])


def _stacked(form: str, a: Ring, b: Ring, distance: float, planes: float) -> bool:
    low, high = _PLANES[form]
    if distance > _REACH[form] or not low <= planes <= high:
        return False
    line = b.centre - a.centre
    if min(acute(a.normal, line), acute(b.normal, line)) > _OFFSET[form]:
        return False
    return form == "face" or meeting(a, b) <= _MEET


def _radii(numbers: npt.NDArray[np.integer[Any]]) -> Floats:
    table = {int(z): _PERIODIC.GetRvdw(int(z)) for z in np.unique(numbers)}
    return np.array([table[int(z)] for z in numbers], dtype=np.float64)
