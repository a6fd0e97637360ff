"""Rotatable bonds: which bonds turn, and which atoms each of them moves.

A rotor is an acyclic single bond both of whose ends have further heavy neighbours, except
amide-like C-N bonds (amides, thioamides, amidines, guanidines: planar by conjugation).  A
linear run such as -C#C- counts once when both its ends turn something, and a nitrile never:
turning about its axis moves nothing.  This is AutoDock's convention (Morris et al., J. Comput.
Chem. 30 (2009) 2785) for heavy atoms; where Vina's own count differs, see
`vina_torsion_count`.  Rings do not turn: their shapes come from the conformer ensemble, as do
the cis and trans forms of tertiary amides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rdkit import Chem

__all__ = ["Rotors", "find_rotors", "vina_torsion_count"]

_PLANAR = "[NX3]-!@[CX3]=[O,N,S]"  # the first two atoms are the bond
_HYDRIDES = frozenset({7, 8, 9, 15, 16})  # elements whose hydrogens are polar


@dataclass(frozen=True, eq=False)
class Rotors:
    """r rotors of n heavy atoms, root-first: a rotor comes after those that move it.

    Attributes
    ----------
    axis:
        (r, 2) int64, the bond's atoms a on the fixed side, b on the moving side.
    moves:
        (r, n) bool, the atoms of b's side, b included.
    dihedral:
        (r, 4) int64, atoms whose dihedral angle the rotor turns; the inner two are a and b
        except where the axis runs along a linear group.
    """

    axis: npt.NDArray[np.int64]
    moves: npt.NDArray[np.bool_]
    dihedral: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.axis)

    def fragments(self) -> list[npt.NDArray[np.int64]]:
        """Return the atoms of each rigid fragment, with the neighbours its rotors fix."""
        columns = np.vstack((np.zeros((1, self.moves.shape[1]), dtype=bool), self.moves))
        _, label = np.unique(columns, axis=1, return_inverse=True)
        label = label.reshape(-1)
        members = [set(np.flatnonzero(label == k).tolist()) for k in range(label.max() + 1)]
        for a, b in self.axis.tolist():
            members[label[a]].add(b)
            members[label[b]].add(a)
        return [np.array(sorted(m), dtype=np.int64) for m in members]


def find_rotors(mol: Chem.Mol, atoms: npt.ArrayLike | None = None) -> Rotors:
    """Return the rotors of a sanitised molecule; the largest rigid fragment is the root.

    Parameters
    ----------
    mol:
        With or without explicit hydrogens.
    atoms:
        (n,) indices of the heavy atoms in the order wanted; all, in their own order, by default.
    """
    if atoms is None:
        atoms = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    graph = _Graph.of(mol, [int(i) for i in np.asarray(atoms).reshape(-1)])
    ends = graph.turning(_planar(mol))
    near, side, root = graph.neighbours, {}, graph.root(ends)
    for a, b in graph.outward(root):
        if (a, b) in ends or (b, a) in ends:
            side[a, b] = graph.beyond(a, b)
    n, axis, dihedral = len(near), list(side), []
    for a, b in axis:
        first, last = ends[a, b] if (a, b) in ends else ends[b, a][::-1]
        outer = min(i for i in near[first[0]] if i != first[1])
        inner = min(i for i in near[last[0]] if i != last[1])
        dihedral.append((outer, first[0], last[0], inner))
    moves = np.zeros((len(axis), n), dtype=bool)
    for k, members in enumerate(side.values()):
        moves[k, list(members)] = True
    return Rotors(
        np.array(axis, dtype=np.int64).reshape(-1, 2),
        moves,
        np.array(dihedral, dtype=np.int64).reshape(-1, 4),
    )


def vina_torsion_count(mol: Chem.Mol) -> float:
    """Return N_rot of Vina's 1 / (1 + 0.0585 N_rot) for a ligand prepared the AutoDock way.

    Beyond our rotors, C-N bonds of tertiary amides with two different substituents count one,
    and bonds that turn only polar hydrogens (hydroxyl, amine, thiol) one half.  Macrocycles
    are taken as rigid.  Source: Trott & Olson, J. Comput. Chem. 31 (2010) 455.
    """
    atoms = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    graph = _Graph.of(mol, atoms)
    ranks = list(Chem.CanonicalRankAtoms(mol, breakTies=False))
    planar = {pair for pair in _planar(mol) if not _turning_amide(mol, pair, ranks)}
    count = float(len(graph.turning(planar)))
    for atom in mol.GetAtoms():
        heavy = [n for n in atom.GetNeighbors() if n.GetAtomicNum() > 1]
        if len(heavy) == 1 and atom.GetAtomicNum() in _HYDRIDES and atom.GetTotalNumHs(True):
            bond = mol.GetBondBetweenAtoms(atom.GetIdx(), heavy[0].GetIdx())
            further = sum(n.GetAtomicNum() > 1 for n in heavy[0].GetNeighbors()) > 1
            pair = frozenset((atom.GetIdx(), heavy[0].GetIdx()))
            if further and bond.GetBondType() == Chem.BondType.SINGLE and pair not in planar:
                count += 0.5
    return count


_End = tuple[int, int]  # an atom, and its neighbour on the axis


@dataclass(frozen=True)
class _Graph:
    """Heavy atoms 0..n-1 with their neighbours."""

    neighbours: list[list[int]]
    single: dict[tuple[int, int], frozenset[int]]  # acyclic single bonds -> the mol's own indices
    linear: frozenset[int]  # atoms of degree 2 with a bond angle of 180 degrees

    @staticmethod
    def of(mol: Chem.Mol, atoms: list[int]) -> _Graph:
        place = {atom: k for k, atom in enumerate(atoms)}
        neighbours: list[list[int]] = [[] for _ in atoms]
        single, order = {}, [0.0] * len(atoms)
        for bond in mol.GetBonds():
            pair = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            if pair[0] not in place or pair[1] not in place:
                continue
            u, v = place[pair[0]], place[pair[1]]
            neighbours[u].append(v)
            neighbours[v].append(u)
            if bond.GetBondType() == Chem.BondType.SINGLE and not bond.IsInRing():
                single[u, v] = frozenset(pair)
            elif bond.GetBondType() in (Chem.BondType.DOUBLE, Chem.BondType.TRIPLE):
                extra = bond.GetBondTypeAsDouble() - 1
                order[u] += extra
                order[v] += extra
        carbon = {k for k, atom in enumerate(atoms) if _may_be_linear(mol.GetAtomWithIdx(atom))}
        straight = {k for k in carbon if order[k] == 2 and len(neighbours[k]) == 2}
        return _Graph(neighbours, single, frozenset(straight))

    def turning(self, planar: set[frozenset[int]]) -> dict[tuple[int, int], tuple[_End, _End]]:
        """Bonds that turn -> their two ends, which lie beyond any linear atoms."""
        ends = {}
        for (u, v), pair in self.single.items():
            if pair in planar or (u in self.linear and v in self.linear):
                continue
            first, last = self._end(v, u), self._end(u, v)
            if len(self.neighbours[first[0]]) < 2 or len(self.neighbours[last[0]]) < 2:
                continue
            # Of the two bonds beside a linear run, the one at the lower atom stands for both.
            near, far = (first, last) if u not in self.linear else (last, first)
            if (u in self.linear or v in self.linear) and near[0] > far[0]:
                continue
            ends[u, v] = (first, last)
        return ends

    def _end(self, previous: int, atom: int) -> _End:
        """Go on from a bond through linear atoms to the first atom off the axis."""
        while atom in self.linear:
            a, b = self.neighbours[atom]
            previous, atom = atom, b if a == previous else a
        return atom, previous

    def root(self, ends: dict[tuple[int, int], tuple[_End, _End]]) -> int:
        """An atom of the largest fragment that is left when the rotors are cut."""
        cut = {frozenset(pair) for pair in ends}
        best, root, seen = 0, 0, set[int]()
        for start in range(len(self.neighbours)):
            if start in seen:
                continue
            fragment, stack = {start}, [start]
            while stack:
                a = stack.pop()
                new = [b for b in self.neighbours[a] if frozenset((a, b)) not in cut]
                stack += [b for b in new if b not in fragment]
                fragment.update(new)
            seen |= fragment
            if len(fragment) > best:
                best, root = len(fragment), start
        return root

    def outward(self, root: int) -> Iterator[tuple[int, int]]:
        """Bonds away from the root, breadth first."""
        seen: set[int] = set()
        for start in (root, *range(len(self.neighbours))):
            queue = [] if start in seen else [start]
            seen.add(start)
            for a in queue:  # grows while it is walked
                for b in self.neighbours[a]:
                    if b not in seen:
                        seen.add(b)
                        queue.append(b)
                        yield a, b

    def beyond(self, a: int, b: int) -> set[int]:
        """Atoms on b's side of the acyclic bond a-b."""
        side, stack = {b}, [b]
        while stack:
            new = [j for j in self.neighbours[stack.pop()] if j != a and j not in side]
            side.update(new)
            stack += new
        return side


def _may_be_linear(atom: Chem.Atom) -> bool:
    return atom.GetAtomicNum() in (6, 7) and not atom.IsInRing()


@lru_cache(maxsize=1)
def _planar_query() -> Chem.Mol:
    return Chem.MolFromSmarts(_PLANAR)


def _planar(mol: Chem.Mol) -> set[frozenset[int]]:
    """Amide-like bonds, as pairs of the molecule's own indices."""
    matches = mol.GetSubstructMatches(_planar_query(), maxMatches=10000)
    return {frozenset(match[:2]) for match in matches}


def _turning_amide(mol: Chem.Mol, pair: frozenset[int], ranks: list[int]) -> bool:
    """Whether the C-N bond's nitrogen has two further heavy neighbours that differ."""
    nitrogen = next(a for a in map(mol.GetAtomWithIdx, pair) if a.GetAtomicNum() == 7)
    others = [
        ranks[a.GetIdx()]
        for a in nitrogen.GetNeighbors()
        if a.GetAtomicNum() > 1 and a.GetIdx() not in pair
    ]
    return len(others) == 2 and others[0] != others[1]
