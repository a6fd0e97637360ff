"""Design in a pocket from Python: a receptor and what is known of it in, ranked designs out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from moldiff.cpu import using_threads
from moldiff.design.api import Molecules
from moldiff.design.pockets.bench import prepare
from moldiff.design.pockets.report import Outcome
from moldiff.design.pockets.run import Budget
from moldiff.design.pockets.starts import Origin
from moldiff.generation.api import Options, generate
from moldiff.keywords import keywords_of
from moldiff.verbs import verb

if TYPE_CHECKING:
    from moldiff.design.atoms import Named
    from moldiff.generation.request import Size

__all__ = ["pocket"]


@verb
@keywords_of(generate)
def pocket(
    receptor: str | Path,
    n: int = 100,
    *,
    pocket_ligand: str | Path,
    scaffold: Molecules | None = None,
    start: Origin | None = None,
    at: Named | None = None,
    add: Size | str = None,
    budget: float | None = None,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    **options: Unpack[Options],
) -> Outcome:
    """Design molecules in a pocket around parts that have their pose in it.

    The other keywords are those of `moldiff.generate`; the model is "druglike".

    Parameters
    ----------
    receptor:
        A ``.pdb`` or ``.cif`` file.
    n:
        Number of designs that are tried.
    pocket_ligand, exclude, keep:
        As in `moldiff.docking.api.dock`.
    scaffold:
        The part, in its pose in the receptor's frame; one without coordinates is docked first.
    start:
        Without a scaffold: "pose", pieces of the pocket's ligand where they are; "dock", these
        pieces docked; "generate", small generated molecules docked.  By default the first that the
        pocket's ligand allows.  "evolve" grows no part in its pose: whole molecules are docked,
        then pieces of the best, completed anew (in 50 steps by default) or joined to pieces of
        others.
    at:
        Points of the scaffold, as in `moldiff.design.grow`; by default those with room.
    add:
        Number of heavy atoms that are added, or an interval; by default about as many as make
        molecules of the size of the pocket's ligand.
    budget:
        Wall time in seconds.

    Raises
    ------
    InputError
        If the receptor, the pocket or the part cannot be used, or nothing can grow.
    """
    clock = Budget(budget)
    with using_threads(options.pop("threads", 1)):
        bench = prepare(
            receptor,
            pocket_ligand,
            clock,
            scaffold=scaffold,
            start=start,
            at=at,
            exclude=exclude,
            keep=keep,
            **options,
        )
        designs = list(bench.designs(n, clock, add=add, **options))
        return bench.outcome(designs, clock)
