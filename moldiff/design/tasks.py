"""What can be done with a part: grow, link, replace, decorate.

A task says which points each molecule has, and how many atoms are added where nobody says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from moldiff.chem.demands import Interval
from moldiff.design.atoms import Named
from moldiff.design.part import Part
from moldiff.design.scaffold import Points, Scaffold, kept_of, scaffold_of
from moldiff.errors import InputError
from moldiff.text import ranges

__all__ = ["Task", "decorating", "fewest", "growing", "linking", "replacing"]

_LINKER = 5  # atoms that a linker may have more than the shortest that spans the gap
_BOND = 1.5  # Å
_LONGEST = 1.8  # Å, of a bond in a linker (C-S)
_AROUND = 3  # atoms that a replacement may have more or fewer than what it replaces
_NEAREST = 3  # atoms of a fragment, nearest to the other ones, among which a point is drawn
_SUBSTITUENT = 5  # atoms of a substituent, at most


@dataclass(frozen=True, eq=False)
class Task:
    """A part, and the usual number of added atoms.

    Attributes
    ----------
    gap:
        Of fragments: the distance in Å over which one of them is linked at least; else 0.
    """

    part: Part
    added: Interval
    gap: float = 0.0

    @property
    def least(self) -> int:
        """The fewest atoms that can span the gap."""
        return fewest(self.gap)


def growing(molecules: Sequence[Chem.Mol], at: Named | None = None, *, seed: int = 0) -> Task:
    """Grow at all named points, or at one that is drawn for each molecule.

    Raises
    ------
    InputError
        If the scaffold cannot be used, or no point can be.
    """
    scaffold = _scaffold(molecules, at, seed)

    def choose(random: np.random.Generator, added: int) -> Points:
        return scaffold.named or _drawn(scaffold.open, 1, random)

    return Task(Part("grow", scaffold, choose), Interval(max(1, len(scaffold.named))))


def decorating(
    molecules: Sequence[Chem.Mol], at: Named | None = None, *, points: int = 3, seed: int = 0
) -> Task:
    """Grow at up to so many points, drawn for each molecule among the named or all possible ones.

    Raises
    ------
    InputError
        If the scaffold cannot be used, or ``points`` is below 1.
    """
    if points < 1:
        raise InputError(f"A scaffold is decorated at 1 point or more, not at {points}.")
    scaffold = _scaffold(molecules, at, seed)
    among = scaffold.named or scaffold.open
    most = min(points, len(among))

    def choose(random: np.random.Generator, added: int) -> Points:
        return _drawn(among, int(random.integers(1, min(most, added) + 1)), random)

    return Task(Part("decorate", scaffold, choose), Interval(1, _SUBSTITUENT * most))


def linking(molecules: Sequence[Chem.Mol], at: Named | None = None, *, seed: int = 0) -> Task:
    """Link fragments: at their named points, or at one of the atoms nearest to the other fragments.

    Raises
    ------
    InputError
        If there is one fragment only, or a fragment cannot be used.
    """
    bare = [a.GetNumConformers() == 0 for a in molecules]
    if any(bare):
        raise InputError(
            "Fragments without coordinates have no poses to link them in.",
            fix="Give them in one frame, as SDF or MOL2.",
        )
    scaffold = _scaffold(molecules, at, seed)
    piece, x = scaffold.fragments, scaffold.positions[: scaffold.size]
    pieces = sorted(set(piece.tolist()))
    if len(pieces) < 2:
        raise InputError(
            "There is one fragment only, and nothing to link it with.",
            fix="Give two or more, in one file or in several; or use moldiff design grow.",
        )
    if at is not None and len(scaffold.named) > 1 and len({piece[i] for i in scaffold.named}) == 1:
        raise InputError(
            "All of the points are in one fragment.",
            fix="Name one in each; atom numbers run on through all fragments: "
            + "; ".join(ranges(np.array(scaffold.numbers)[piece == p].tolist()) for p in pieces)
            + ".",
        )
    distance = np.linalg.norm(x[:, None] - x, axis=-1)
    distance[piece[:, None] == piece] = math.inf
    choices: list[list[int]] = []
    for one in pieces:
        possible = [i for i in scaffold.open if piece[i] == one]
        if not possible:
            number = scaffold.numbers[int(np.flatnonzero(piece == one)[0])]
            raise InputError(
                f"The fragment of atom {number} has no free valence: no hydrogen to give for a "
                "new bond.",
                fix="Give fragments with hydrogens, or with attachment points.",
            )
        fixed = [i for i in possible if i in scaffold.named]
        nearest = sorted(possible, key=lambda i: float(distance[i].min()))[:_NEAREST]
        choices.append(fixed or nearest)

    def choose(random: np.random.Generator, added: int) -> Points:
        drawn = [int(random.choice(among)) for among in choices if among[0] not in scaffold.named]
        return {**scaffold.named, **{i: scaffold.open[i] for i in drawn}}

    # Of each fragment to the nearest other one: all of these have to be spanned.
    gaps = []
    for mine in choices:
        others = [j for other in choices if other is not mine for j in other]
        gaps.append(float(distance[np.ix_(mine, others)].min()))
    shortest = max(1, math.ceil(min(gaps) / _BOND) - 1, fewest(max(gaps)))
    usual = Interval(shortest, shortest + _LINKER)
    return Task(Part("link", scaffold, choose), usual, gap=max(gaps))


def fewest(gap: float) -> int:
    """Return how many atoms at least span a gap in Å, with straight and long bonds."""
    return max(1, math.ceil(gap / _LONGEST) - 1)


def replacing(molecules: Sequence[Chem.Mol], keep: Named, *, seed: int = 0) -> Task:
    """Keep some atoms of the one molecule, and replace the rest.

    Raises
    ------
    InputError
        If there are more molecules, or the atoms are not in the molecule or are all of it.
    """
    if len(molecules) != 1:
        raise InputError(
            f"There are {len(molecules)} molecules; one is changed at a time.",
            fix="Give a file with one molecule.",
        )
    scaffold = kept_of(molecules[0], keep, seed=seed)
    removed = molecules[0].GetNumHeavyAtoms() - scaffold.size
    part = Part("replace", scaffold, lambda random, added: scaffold.named)
    return Task(part, Interval(max(1, removed - _AROUND), removed + _AROUND))


def _scaffold(molecules: Sequence[Chem.Mol], at: Named | None, seed: int) -> Scaffold:
    scaffold = scaffold_of(molecules, seed=seed)
    scaffold = scaffold if at is None else scaffold.at(at)
    if not scaffold.open:
        raise InputError(
            "No atom of the scaffold has a free valence: no hydrogen to give for a new bond.",
            fix="Give it with hydrogens, or with attachment points: 'c1ccccc1[*:1]'.",
        )
    return scaffold


def _drawn(points: Points, count: int, random: np.random.Generator) -> Points:
    chosen = random.choice(sorted(points), count, replace=False)
    return {int(i): points[int(i)] for i in chosen}
