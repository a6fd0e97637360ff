"""Where designs in a pocket start: parts in a pose, with the points that have room before them.

A part is the user's, a piece of a known ligand, or a small generated molecule.  It lies where it is
given, or where docking puts it.  Pieces are what is left of a ligand when the bonds are cut that
BRICS cuts (Degen et al., ChemMedChem 3 (2008) 1503).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from rdkit import Chem

from moldiff.chem.conformers import with_positions
from moldiff.chem.demands import Interval
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.design.part import Part
from moldiff.design.pockets.room import Room
from moldiff.design.scaffold import Points, Scaffold, kept_of, scaffold_of
from moldiff.design.tasks import Task
from moldiff.docking.pipeline import dock
from moldiff.docking.problem import Pocket, make_problem
from moldiff.docking.settings import Settings
from moldiff.errors import InputError
from moldiff.text import ranges

if TYPE_CHECKING:
    from moldiff.model import Model

__all__ = ["FEWER", "MORE", "Origin", "Start", "docked", "generated", "names", "pieces", "start_of"]

Origin = Literal["pose", "dock", "generate", "evolve"]
"""Pieces of the known ligand where they are, or docked; small generated molecules, docked; or whole
molecules, which are docked, and children of the best."""

_SMALLEST = 5  # heavy atoms of a piece
_LEFT = 2  # heavy atoms of the ligand that a piece leaves out, at least
_SIZES = Interval(10, 13)  # heavy atoms of a generated start
_BEST = 4  # of these, by energy for each heavy atom, that are kept
# Starts are small and rigid: a tenth of the usual search finds their poses.
_QUICK = Settings(draws=16, starts=200, chains=24, rounds=4, shortlist=12, poses=1, conformers=4)
_USUAL = Interval(4, 14)  # atoms that are added where no known ligand says how many
FEWER, MORE = 3, 4
"""By so many heavy atoms a design may differ from the known ligand."""
_EACH = 4  # added atoms for each point beyond the first


@dataclass(frozen=True, eq=False)
class Start:
    """A part in its pose.

    Attributes
    ----------
    name:
        What it is, for the records.
    task:
        What is done with it.
    """

    name: str
    task: Task


def start_of(scaffold: Scaffold, name: str, room: Room, ligand: int | None = None) -> Start | str:
    """Return a start, or why nothing can grow from a part.

    Parameters
    ----------
    scaffold:
        In its pose; all of its named points are used, otherwise one or two of those with room.
    ligand:
        Heavy atoms of a known ligand: designs have about as many.
    """
    points = scaffold.named or room.points(scaffold)
    if not points:
        return f"No atom of {name} that has a hydrogen has room before it."

    def choose(random: np.random.Generator, added: int) -> Points:
        if scaffold.named:
            return points
        most = min(len(points), 1 + added // _EACH, 2)
        chosen = random.choice(sorted(points), int(random.integers(1, most + 1)), replace=False)
        return {int(i): points[int(i)] for i in chosen}

    added = _USUAL
    if ligand is not None:
        lacking = ligand - scaffold.size
        added = Interval(max(2, lacking - FEWER), max(_EACH, lacking + MORE))
    return Start(name, Task(Part("pocket", scaffold, choose, room.around), added))


def pieces(ligand: Chem.Mol) -> Iterator[Scaffold]:
    """Yield the pieces of a ligand in its pose, the largest first; at best all but two atoms.

    Raises
    ------
    InputError
        If it cannot be sanitised.
    """
    from rdkit.Chem import BRICS

    whole = sanitised(ligand)
    if whole is None:
        raise InputError(
            "The pocket's ligand cannot be sanitised.", fix="Check its bonds, or give --scaffold."
        )
    heavy = [a.GetIdx() for a in whole.GetAtoms() if a.GetAtomicNum() > 1]
    cut = Chem.RWMol(whole)
    for (i, j), _ in list(BRICS.FindBRICSBonds(whole)):
        cut.RemoveBond(i, j)
    parts = [[i for i in piece if i in set(heavy)] for piece in Chem.GetMolFrags(cut)]
    sized = [p for p in parts if _SMALLEST <= len(p) <= len(heavy) - _LEFT]
    for piece in sorted(sized, key=len, reverse=True):
        scaffold = kept_of(ligand, ranges(i + 1 for i in sorted(piece)))
        # Wherever there is room, not only where the ligand goes on.
        yield replace(scaffold, named={})


def docked(scaffold: Scaffold, pocket: Pocket, *, seed: int = 0) -> tuple[Scaffold, float] | str:
    """Return a part in its best docked pose, and its energy in kcal/mol; or why there is none."""
    problem = make_problem(
        scaffold.mol, pocket, conformers=_QUICK.conformers, seed=seed, name="start"
    )
    if isinstance(problem, str):
        return problem
    best = dock(problem, replace(_QUICK, seed=seed)).best
    if best.mol.GetNumAtoms() != scaffold.mol.GetNumAtoms():
        return "it was changed to be docked"
    # As many digits as a file has: otherwise the written molecule would differ from the part.
    rounded = np.round(best.mol.GetConformer().GetPositions(), 4)
    return replace(scaffold, mol=with_positions(scaffold.mol, rounded)), best.energy


def generated(
    model: Model,
    pocket: Pocket,
    *,
    tries: int,
    seed: int,
    steps: int | None = None,
    spent: Callable[[], bool] = lambda: False,
) -> list[tuple[Scaffold, float]]:
    """Return the best of some small generated molecules, docked, with their energies in kcal/mol.

    ``spent`` says when to stop: those that are docked by then are compared.
    """
    from moldiff.generation.api import stream

    poses: list[tuple[Scaffold, float]] = []
    for item in stream(tries, model=model, size=_SIZES, seed=seed, steps=steps):
        if item.failure is None:
            with quiet():
                placed = docked(scaffold_of([item.mol]), pocket, seed=seed)
            if not isinstance(placed, str):
                poses.append(placed)
        if poses and spent():
            break
    return sorted(poses, key=_efficiency)[:_BEST]


def _efficiency(pose: tuple[Scaffold, float]) -> float:
    return pose[1] / pose[0].size


def names(scaffolds: Sequence[Scaffold]) -> list[str]:
    """Return the SMILES of parts, by which records name them."""
    with quiet():
        plain = [Chem.RemoveHs(scaffold.mol, sanitize=False) for scaffold in scaffolds]
        for mol in plain:
            for atom in mol.GetAtoms():
                atom.SetNoImplicit(False)
            Chem.SanitizeMol(mol)
        return [str(Chem.MolToSmiles(mol)) for mol in plain]
