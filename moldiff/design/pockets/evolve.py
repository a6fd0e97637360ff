"""Whole molecules that evolve in a pocket: docked, and the best have children.

A genetic algorithm (Holland 1975).  Its mutation is the model: of a molecule that docks well one
side of a bond stays, as a graph in its conformation, and the model draws the rest anew.  Its
crossover joins a side of one such molecule to a side of another.  What is made is docked freely, so
nothing has to fit where it was drawn.  Bonds are those that BRICS cuts (`moldiff.chem.brics`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from rdkit import Chem

from moldiff.chem import brics
from moldiff.chem.demands import Interval
from moldiff.chem.validity import canonical_smiles
from moldiff.design.api import possible, stream
from moldiff.design.part import Part
from moldiff.design.pockets.crossing import Pair, children, pairs
from moldiff.design.pockets.run import Design, Judge
from moldiff.design.pockets.settle import Settled
from moldiff.design.pockets.starts import names
from moldiff.design.scaffold import Points, Scaffold, kept_of
from moldiff.design.tasks import Task
from moldiff.diffusion.sampler import Sampler
from moldiff.docking.pipeline import dock
from moldiff.docking.problem import Pocket, make_problem
from moldiff.docking.settings import Settings
from moldiff.errors import InputError
from moldiff.generation.api import Options
from moldiff.generation.api import stream as generated
from moldiff.generation.request import Generated
from moldiff.model import Model
from moldiff.text import ranges

__all__ = ["AFRESH", "FIRST", "NEW", "PARENTS", "SEARCH", "STEPS", "Evolving", "sides"]

NEW = "new"
"""What stands for the start of a molecule that is drawn as a whole."""
# A quarter of the usual search, from random poses: the network of poses would take half of the
# time, and which molecules are worth more shows without it.
SEARCH = Settings(
    proposals="random", starts=300, chains=40, rounds=8, shortlist=20, poses=1, conformers=4
)
"""How each molecule is docked."""

FIRST, AFRESH, PARENTS = 12, 0.1, 8
"""Whole molecules before any has children; share of later batches that are whole ones, too; the
best molecules, of which a parent is drawn."""
STEPS = 50
"""Steps of drawing at most, unless a request says otherwise: time is for docking, which makes
conformers of its own."""
_RIVALS = 3  # of these, whose best becomes the parent
_CROSSED = 0.5  # share of the later batches whose molecules are joined of two parents
_TRIES = 8  # pairs of parents for each child
_BATCH = 6  # molecules that are made together, of one size
_SAME = 0.7  # share of the batches that go on from the bond that was cut
_OF_PARTS = frozenset({"kept", "part_kept", "kept_atoms", "attachments"})
_SMALLEST, _LEFT = 5, 2  # heavy atoms that stay, and that are drawn anew, at least


@dataclass(eq=False)
class Evolving:
    """A source of designs that descend from the best ones so far.

    Attributes
    ----------
    pocket, maker, size:
        Where; the model, loaded; heavy atoms of each molecule.
    parents:
        The best molecules so far, by energy.
    known:
        SMILES of all that were docked.
    joined:
        SMILES of all that were joined of two, without stereochemistry, which is not known then.
    """

    pocket: Pocket
    maker: Model
    size: Interval
    parents: list[Design] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)

    def __call__(
        self, turn: int, most: int, random: np.random.Generator, options: Options
    ) -> tuple[Iterator[Generated], Judge]:
        """See `moldiff.design.pockets.run.Source`."""
        count = min(_BATCH, most)
        seed = int(random.integers(1 << 31))
        changed: Any = {**options, "model": self.maker, "seed": seed}
        if options.get("steps") is None and not isinstance(options.get("sampler"), Sampler):
            changed["steps"] = min(STEPS, int(self.maker.sampling.get("steps", STEPS)))
        way = self._way(random)
        if way == "joined" and (crossed := self._pairs(count, random)):
            molecules = children(crossed, seed, options.get("progress"))
            return molecules, lambda item: self._design(item, item.tags["start"])
        if way != "new" and (task := self._task(random)) is not None:
            (name,) = names([task.part.scaffold])
            try:
                size = int(random.choice(possible(task, None, self.size, self.maker)))
                molecules = stream(task, count, **{**changed, "size": size})
            except InputError:
                pass  # the part leaves no room for more atoms
            else:
                return molecules, lambda item: self._design(item, name)
        molecules = generated(count, **{**changed, "size": self._whole(random)})
        return molecules, lambda item: self._design(item, NEW)

    def _way(self, random: np.random.Generator) -> Literal["new", "joined", "completed"]:
        """How the next molecules are made: as a whole, or of the best by crossover or mutation."""
        if len(self.known) < FIRST or not self.parents or random.random() < AFRESH:
            return "new"
        return "joined" if random.random() < _CROSSED else "completed"

    def _whole(self, random: np.random.Generator) -> int | Interval:
        """The size of whole molecules, as often as the data have it."""
        from moldiff.generation.sampling import molecules_of

        shares = {n: p for n, p in molecules_of(self.maker).sizes.items() if n in self.size}
        if not shares:
            return self.size  # which is refused, with the model's sizes
        weights = np.array(list(shares.values()))
        return int(random.choice(list(shares), p=weights / weights.sum()))

    def _best(self, number: int, random: np.random.Generator) -> list[Design]:
        """The best of a few parents: so many of them, or all there are."""
        among = min(_RIVALS + number - 1, len(self.parents))
        rivals = random.choice(len(self.parents), among, replace=False)
        return [self.parents[int(k)] for k in sorted(rivals)[:number]]

    def _pairs(self, count: int, random: np.random.Generator) -> list[Pair]:
        """Sides of two of the best that make new molecules of the size; fewer if there are few."""
        chosen: list[Pair] = []
        for _ in range(_TRIES * count if len(self.parents) > 1 else 0):
            first, second = (Chem.MolFromSmiles(one.smiles) for one in self._best(2, random))
            fitting = pairs(first, second, self.size)
            if not fitting:
                continue
            pair = fitting[int(random.integers(len(fitting)))]
            child = brics.joined(*pair)
            smiles = canonical_smiles(child)
            # Sides of molecules without a net charge may have one.
            if smiles in self.joined or smiles is None or Chem.GetFormalCharge(child):
                continue
            self.joined.add(smiles)
            chosen.append(pair)
            if len(chosen) == count:
                break
        return chosen

    def _task(self, random: np.random.Generator) -> Task | None:
        """A part of one of the best molecules; None if none of it can stay."""
        (parent,) = self._best(1, random)
        assert parent.settled is not None
        parts = sides(parent.settled.mol)
        if not parts:
            return None
        scaffold, same = parts[int(random.integers(len(parts)))], random.random() < _SAME

        def choose(random: np.random.Generator, added: int) -> Points:
            points = scaffold.named if same else scaffold.open
            atom = int(random.choice(sorted(points)))
            return {atom: points[atom]}

        return Task(Part("evolve", scaffold, choose), Interval(_LEFT, self.size.high))

    def _design(self, item: Generated, name: str) -> Design:
        """Dock a molecule that is valid and new."""
        # The part was drawn in its conformation, but does not keep it when it is docked.
        tags = {key: value for key, value in item.tags.items() if key not in _OF_PARTS}
        item = replace(item, tags={**tags, "design": "evolve"})
        if item.failure is not None:
            return Design(item, name, reason=item.failure)
        smiles = item.tags["SMILES"]
        if smiles in self.known:
            return Design(item, name, reason="repeated")
        self.known.add(smiles)
        docked = _docked(item.mol, self.pocket, int(item.tags["seed"]))
        if isinstance(docked, str):
            return Design(item, name, reason=docked)
        how = {"proposals": SEARCH.proposals, "settings": SEARCH.digest()}
        design = Design(item, name, docked, docked.reason, how)
        if design.reason is None:
            among = [*self.parents, design]
            self.parents = heapq.nlargest(PARENTS, among, key=lambda one: one.score)
        return design


def sides(mol: Chem.Mol) -> list[Scaffold]:
    """Return both sides of each bond that BRICS cuts, with the cut atom as the named point.

    A side has five heavy atoms or more, and leaves out two or more.
    """
    heavy = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1]
    return [
        kept_of(mol, ranges(heavy[k] + 1 for k in side.atoms))
        for side in brics.sides(mol)
        if _SMALLEST <= side.size <= len(heavy) - _LEFT
    ]


def _docked(mol: Chem.Mol, pocket: Pocket, seed: int) -> Settled | str:
    problem = make_problem(mol, pocket, conformers=SEARCH.conformers, seed=seed, name="design")
    if isinstance(problem, str):
        return problem
    best = dock(problem, replace(SEARCH, seed=seed)).best
    return Settled(best.mol, best.energy, -best.energy, best.terms, best.checks, best.interactions)
