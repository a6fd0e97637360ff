"""A pocket with all that designs in it need, found before any of them is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np
from rdkit import Chem

from moldiff.chem.demands import Interval, as_interval
from moldiff.design.api import MODEL, Molecules, possible, read_parts, usable
from moldiff.design.atoms import Named
from moldiff.design.pockets.evolve import Evolving
from moldiff.design.pockets.grow import Growing
from moldiff.design.pockets.report import Outcome
from moldiff.design.pockets.room import Room
from moldiff.design.pockets.run import Budget, Design, run
from moldiff.design.pockets.settle import Settled, Settler
from moldiff.design.pockets.starts import (
    FEWER,
    MORE,
    Origin,
    Start,
    docked,
    generated,
    names,
    pieces,
    start_of,
)
from moldiff.design.scaffold import Scaffold, scaffold_of
from moldiff.docking.ligands import read_reference
from moldiff.docking.site import Site, Where, site
from moldiff.errors import InputError
from moldiff.generation.api import Options
from moldiff.io import READABLE
from moldiff.models import load

if TYPE_CHECKING:
    from moldiff.generation.request import Size
    from moldiff.model import Model

__all__ = ["Bench", "prepare"]

_TRIES = 12  # molecules that are generated and docked to find starts
_SHARE = 0.3  # of the budget that may go into finding starts
_APART = 4.0  # Å beyond the box at which a scaffold is in another frame


@dataclass(frozen=True, eq=False)
class Bench:
    """A pocket with all that designs in it need.

    Attributes
    ----------
    site:
        The receptor.
    starts:
        What designs grow from; nothing where whole molecules are docked and evolve.
    settler:
        Settles and judges them.
    model:
        Makes them.
    ligand:
        The pocket's ligand in its pose; None where its bond orders are not known.
    notes:
        Remarks for the user, a sentence each.
    """

    site: Site
    starts: tuple[Start, ...]
    settler: Settler
    model: Model
    ligand: Chem.Mol | None
    notes: tuple[str, ...] = ()

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements of all starts."""
        return frozenset().union(*(start.task.part.elements for start in self.starts))

    def reference(self) -> Settled | None:
        """Return the pocket's ligand, minimised from its pose."""
        if self.ligand is None:
            return None
        settled = self.settler(self.ligand)
        return None if isinstance(settled, str) else settled

    def designs(
        self, n: int, budget: Budget, *, add: Size | str = None, **options: Unpack[Options]
    ) -> Iterator[Design]:
        """Yield designs as they are settled; see `moldiff.design.pockets.run.run`.

        Starts that cannot become as large or as small as is asked for are left out.

        Raises
        ------
        InputError
            If none can.
        """
        if not self.starts:
            if add is not None:
                raise InputError(
                    "Nothing is added to whole molecules.", fix="Give their --size, not --add."
                )
            source = Evolving(self.site.pocket, self.model, self._size(options.get("size")))
            return run(source, n, budget, **options)
        able, refused = [], []
        for start in self.starts:
            try:
                possible(start.task, add, options.get("size"), self.model)
                able.append(start)
            except InputError as error:
                refused.append(error)
        if not able:
            raise refused[0]
        return run(Growing(able, self.settler, self.model, add), n, budget, **options)

    def _size(self, size: Size | str) -> Interval:
        """Heavy atoms of whole molecules: those asked for, or about as many as the ligand has."""
        if size is not None:
            return as_interval(size)
        if self.ligand is None:
            return Interval(1)  # any that the model makes
        heavy = self.ligand.GetNumHeavyAtoms()
        return Interval(heavy - FEWER, heavy + MORE)

    def outcome(self, designs: Sequence[Design], budget: Budget) -> Outcome:
        """Return what came of designs, beside the pocket's ligand."""
        place = self.site.pocket
        origin = {**place.origin, "pocket": place.digest}
        return Outcome(tuple(designs), self.reference(), origin, budget.used)


def prepare(
    receptor: str | Path,
    pocket_ligand: str | Path,
    budget: Budget,
    *,
    scaffold: Molecules | None = None,
    start: Origin | None = None,
    at: Named | None = None,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    show: Callable[[str], None] = lambda stage: None,
    **options: Unpack[Options],
) -> Bench:
    """Read the receptor, and find the starts; see `moldiff.design.pocket`.

    ``show`` is told each stage.
    """
    if scaffold is not None and start is not None:
        raise InputError(
            "A scaffold is a start of its own.", fix="Leave out --start, or --scaffold."
        )
    if scaffold is None and at is not None:
        raise InputError("--at names atoms of a scaffold.", fix="Give --scaffold, too.")
    show("reading the receptor")
    place = site(receptor, Where(pocket_ligand), exclude=exclude, keep=keep)
    ligand = _ligand(pocket_ligand)
    given, device = options.get("model", MODEL), options.get("device", "cpu")
    model = load(given, device) if isinstance(given, str | Path) else given
    settler = Settler.of(place.pocket)
    if start == "evolve":
        return Bench(place, (), settler, model, ligand, place.notes)
    room = Room.of(place.pocket)
    seed, steps = options.get("seed", 0), options.get("steps")
    notes: list[str] = []
    if scaffold is not None:
        show("placing the scaffold")
        parts = [_placed(scaffold, at, place, seed, notes)]
    elif start == "generate" or (start is None and ligand is None):
        show("docking generated fragments")
        parts = _of_model(model, place, budget, seed, steps)
    else:
        show("taking the ligand apart" if start != "dock" else "docking pieces of the ligand")
        parts = _of_ligand(ligand, start == "dock", place, budget, seed)
    heavy = None if ligand is None else ligand.GetNumHeavyAtoms()
    starts, refused = _usable(parts, room, heavy, model)
    return Bench(place, starts, settler, model, ligand, (*place.notes, *notes, *refused))


def _usable(
    parts: Sequence[Scaffold], room: Room, ligand: int | None, model: Model
) -> tuple[tuple[Start, ...], list[str]]:
    """The parts that can grow, and why the others cannot."""
    starts, refused = [], []
    for part, name in zip(parts, names(parts), strict=True):
        start = start_of(part, name, room, ligand)
        try:
            if isinstance(start, str):
                raise InputError(
                    start, fix="Give another --scaffold, a smaller one, or points by --at."
                )
            usable(start.task, model)
            starts.append(start)
        except InputError as error:
            refused.append(error)
    if not starts:
        raise refused[0]
    return tuple(starts), [f"not grown: {error.what}" for error in refused]


def _ligand(source: str | Path) -> Chem.Mol | None:
    """The pocket's ligand, where its file has bond orders."""
    suffixes = {suffix.lower() for suffix in Path(source).suffixes[-2:]}
    return read_reference(source, "--pocket-ligand") if suffixes & set(READABLE) else None


def _placed(
    source: Molecules, at: Named | None, place: Site, seed: int, notes: list[str]
) -> Scaffold:
    """The user's scaffold in its pose, or docked where it has none."""
    molecules = read_parts(source)
    bare = molecules[0].GetNumConformers() == 0
    scaffold = scaffold_of(molecules, seed=seed)
    scaffold = scaffold if at is None else scaffold.at(at)
    if bare:
        result = docked(scaffold, place.pocket, seed=seed)
        if isinstance(result, str):
            raise InputError(f"The scaffold cannot be docked: {result}.", fix="Give it as SDF.")
        notes.append(f"the scaffold had no pose; docked, {result[1]:.1f} kcal/mol")
        return result[0]
    x = scaffold.positions[: scaffold.size]
    away = np.abs(x - place.pocket.box.centre) - place.pocket.box.size / 2
    if (farthest := float(away.max())) > _APART:
        raise InputError(
            f"The scaffold lies outside of the pocket, {farthest:.0f} Å beyond its box.",
            fix="Give it in the receptor's frame, or as SMILES to have it docked.",
        )
    return scaffold


def _of_model(
    model: Model, place: Site, budget: Budget, seed: int, steps: int | None
) -> list[Scaffold]:
    fragments = generated(
        model, place.pocket, tries=_TRIES, seed=seed, steps=steps, spent=_part_of(budget)
    )
    if not fragments:
        raise InputError(
            "None of the generated fragments could be docked.", fix="Try another --seed."
        )
    return [scaffold for scaffold, _ in fragments]


def _of_ligand(
    ligand: Chem.Mol | None, dock: bool, place: Site, budget: Budget, seed: int
) -> list[Scaffold]:
    if ligand is None:
        raise InputError(
            "The pocket's ligand has no bond orders, and cannot be taken apart.",
            fix="Give it as SDF or MOL2, or use --start generate, or --scaffold.",
        )
    parts, spent = list(pieces(ligand)), _part_of(budget)
    if not parts:
        raise InputError(
            "The pocket's ligand cannot be cut into pieces of five atoms or more.",
            fix="Give a part of it by --scaffold, or use --start generate.",
        )
    if not dock:
        return parts
    poses = []
    for part in parts:
        placed = docked(part, place.pocket, seed=seed)
        if not isinstance(placed, str):
            poses.append(placed[0])
        if poses and spent():
            break
    if not poses:
        raise InputError(
            "None of the pieces of the pocket's ligand can be docked.", fix="Use --start pose."
        )
    return poses


def _part_of(budget: Budget) -> Callable[[], bool]:
    """Whether the share of the budget is used that may go into starts."""
    limit = None if budget.seconds is None else _SHARE * budget.seconds
    return lambda: limit is not None and budget.used >= limit
