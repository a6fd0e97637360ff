"""``moldiff design pocket``: molecules around a part that has its pose in a pocket."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.designing import collect, finish
from moldiff.cli.failure import Interrupted
from moldiff.cli.groups import grouped
from moldiff.cli.options import Force, Picked
from moldiff.cli.output import check_apart, check_output, remark
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.progress import stages
from moldiff.cli.receptor_options import Exclude, Keep
from moldiff.cli.requests import Machine, Sampling, Wishes, around_part, show_grammar
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.chem.demands import Interval

__all__ = ["EXAMPLES", "addition", "command"]

EXAMPLES = (
    "moldiff design pocket --receptor 1abc.pdb --pocket-ligand lig.sdf --budget 600s --pick 30",
    "moldiff design pocket -r 1abc.pdb --pocket-ligand lig.sdf --scaffold core.sdf --add 6..14",
    "moldiff design pocket -r 1abc.pdb --pocket-ligand A:301 -n 200 --page designs.html",
    "moldiff design pocket -r 1abc.pdb --pocket-ligand lig.sdf --start evolve --budget 1h",
)

_USUAL = 100  # designs, where neither a number nor a budget is given
_ANY = 10_000_000  # designs, where a budget ends them
_UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


class Start(StrEnum):
    """See `moldiff.design.pockets.starts.Origin`."""

    pose = "pose"
    dock = "dock"
    generate = "generate"
    evolve = "evolve"


@grouped
def command(
    *,
    receptor: Annotated[Path, typer.Option("-r", "--receptor", help="The protein: .pdb or .cif.")],
    pocket_ligand: Annotated[
        str,
        typer.Option(
            metavar="FILE|A:301|LIG",
            help="The pocket is where this molecule is: .sdf, .mol2, .pdb, or in the receptor.",
        ),
    ],
    scaffold: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|SMILES",
            help="What is kept, in its pose: .sdf, .mol, .mol2; a SMILES is docked first.",
        ),
    ] = None,
    start: Annotated[
        Start | None,
        typer.Option(
            help="Without --scaffold. pose: pieces of the pocket's ligand where they are; dock: "
            "these pieces, docked; generate: small generated molecules, docked. evolve: whole "
            "molecules, docked, and their children: pieces of the best, completed anew or joined. "
            "[default: the first of pose and generate that can be]"
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS|SMARTS",
            help="Points of the scaffold where new bonds begin. [default: where there is room]",
        ),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "-n", "--number", min=1, help="Designs to try. [default: 100, or for all of --budget]"
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="600s|10min|1h", help="Stop after so much time, with all there is."),
    ] = None,
    pick: Picked = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Ranked designs (.sdf); a table of all beside it."),
    ] = Path("designs.sdf"),
    page: Annotated[
        Path | None, typer.Option(help="Also an HTML page of the designs in the pocket.")
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|LOW..HIGH",
            help="Heavy atoms that are added. [default: to about the size of the pocket's ligand]",
        ),
    ] = None,
    exclude: Exclude = None,
    keep: Keep = None,
    model: Annotated[
        str, typer.Option(help="A bundled model (moldiff info) or a model file.")
    ] = "druglike",
    sampling: Sampling,
    wishes: Wishes,
    machine: Machine,
    force: Force = False,
) -> None:
    """Grow parts in their pose in a pocket, settle what was added, rank by docking's evidence.

    Predicted atoms are pushed out of walls while a molecule forms (guidance surroundings; most=0:
    not). Then what was added turns until the docking energy is least, and the part stays to the
    last digit; each record proves it. Clashes and repeated molecules are left out; OUTPUT's name
    with .csv says why, for each. --pick chooses different ones among the best.

    With --start evolve no part stays where it is: whole molecules of about the size of the
    pocket's ligand are docked; then one side of a bond of a good one is drawn anew, or joined to a
    side of another good one, and docked, and so on. Conditions are for what is drawn, in 50 steps
    unless --steps says otherwise.

    With --budget or Ctrl-C what is complete is ranked and written.
    """
    if wishes.prompt == "help":
        return show_grammar()
    seconds = None if budget is None else _seconds(budget)
    limit = number or (_USUAL if seconds is None else _ANY)
    _check(output, page, [receptor, *(Path(p) for p in (pocket_ligand, scaffold) if p)])
    _check_replaceable(output, page, force=force)
    atoms, parsed = addition(add), wishes.parsed()
    load_torch()
    from moldiff.cpu import using_threads
    from moldiff.design import pockets as designing

    with using_threads(machine.threads):
        clock = designing.Budget(seconds)
        loaded = machine.load(model)
        demands, guides = wishes.demands(loaded, parsed)
        options: dict[str, Any] = {
            "model": loaded,
            "size": demands.size,
            "conditions": demands.conditions,
            "without": demands.without,
            "guidance": guides,
            **vars(sampling),
        }
        with stages() as show:
            bench = designing.prepare(
                receptor,
                pocket_ligand,
                clock,
                scaffold=scaffold,
                start=None if start is None else start.value,
                at=at,
                exclude=exclude or (),
                keep=keep or (),
                show=lambda stage: show(stage, 0, 0),
                **options,
            )
            for note in bench.notes:
                remark(f"Note: {note}")
            around_part(demands, bench.elements)
            complete, stopped = collect(
                bench, limit, clock, seconds, show, {**options, "add": atoms}
            )
        outcome = bench.outcome(complete, clock)
    finish(bench, outcome, output, page, pick, sampling.seed)
    if stopped:
        raise Interrupted(f"Interrupted: what was complete is in {output}.")


def addition(text: str | None) -> Interval | None:
    """Parse ``NUMBER`` or ``LOW..HIGH``; raise ``InputError`` for anything else."""
    from moldiff.chem.demands import Interval
    from moldiff.text import rising

    numbers = None if text is None else rising(text, "..")
    if text is None:
        return None
    if not numbers or "," in text or numbers[0] < 1:
        raise InputError(
            f"--add is a number of atoms from 1 on, not '{text}'.", fix="Write --add 5, or 3..10."
        )
    return Interval(numbers[0], numbers[-1])


def _seconds(text: str) -> float:
    """Parse ``600``, ``600s``, ``10min`` or ``1h``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|)", text.strip())
    if match is None or not float(match[1]):
        raise InputError(
            f"--budget is a time above 0, not '{text}'.", fix="Write --budget 600s, 10min or 1h."
        )
    return float(match[1]) * _UNITS[match[2]]


def _check(output: Path, page: Path | None, read: list[Path]) -> None:
    check_output(output, (".sdf",))
    check_apart("--output", output, read)
    check_apart("--output", output.with_suffix(".csv"), read)
    if page is not None:
        check_output(page, (".html", ".htm"))
        check_apart("--page", page, [*read, output, output.with_suffix(".csv")])


def _check_replaceable(output: Path, page: Path | None, *, force: bool) -> None:
    files: dict[Path, str | Path] = {output: "poses", output.with_suffix(".csv"): "designs"}
    check_replaceable(files if page is None else {**files, page: "page"}, force=force)
