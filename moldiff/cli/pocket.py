"""``moldiff design pocket``: molecules around a part that has its pose in a pocket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Picked, Precision, Precisions, conditions, sizes, symbols
from moldiff.cli.output import (
    bar,
    check_apart,
    check_output,
    check_threads,
    counted,
    percent,
    remark,
    table,
)
from moldiff.cli.requests import (
    ConditionOption,
    Device,
    GuidanceOption,
    Only,
    Prompt,
    Seed,
    SizeOption,
    Steps,
    Temperature,
    Threads,
    Without,
    demands_of,
    show_grammar,
)
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.chem.demands import Interval
    from moldiff.design.pockets import Bench, Budget, Design, Outcome

__all__ = ["EXAMPLES", "added", "command"]

EXAMPLES = (
    "moldiff design pocket --receptor 1abc.pdb --pocket-ligand lig.sdf --budget 600s --pick 30",
    "moldiff design pocket -r 1abc.pdb --pocket-ligand lig.sdf --scaffold core.sdf --add 6-14",
    "moldiff design pocket -r 1abc.pdb --pocket-ligand A:301 -n 200 --page designs.html",
)

_USUAL = 100  # designs, where neither a number nor a budget is given
_ANY = 10_000_000  # designs, where a budget ends them
_SHOWN = 10  # designs in the closing table
_UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


class Start(StrEnum):
    """See `moldiff.design.pockets.starts.Origin`."""

    pose = "pose"
    dock = "dock"
    generate = "generate"


def command(
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
            "these pieces, docked; generate: small generated molecules, docked. [default: the "
            "first that can be]"
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
            metavar="NUMBER|LOW-HIGH",
            help="Heavy atoms that are added. [default: to about the size of the pocket's ligand]",
        ),
    ] = None,
    size: SizeOption = None,
    exclude: Annotated[
        str | None,
        typer.Option(metavar="NAME,A:301", help="Leave these residues out of the receptor."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(metavar="HOH,A:401", help="Keep these: waters, what stands in the pocket."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A bundled model (moldiff info) or a model file.")
    ] = "druglike",
    seed: Seed = 0,
    steps: Steps = None,
    prompt: Prompt = None,
    condition: ConditionOption = None,
    without: Without = None,
    only: Only = None,
    guidance: GuidanceOption = None,
    temperature: Temperature = None,
    device: Device = "cpu",
    precision: Precisions = Precision.float32,
    threads: Threads = 1,
) -> None:
    """Grow parts in their pose in a pocket, settle what was added, rank by docking's evidence.

    Predicted atoms are pushed out of walls while a molecule forms (guidance surroundings; most=0:
    not). Then what was added turns until the docking energy is least, and the part stays to the
    last digit; each record proves it. Clashes and repeated molecules are left out; OUTPUT's name
    with .csv says why, for each. --pick chooses different ones among the best.

    With --budget or Ctrl-C what is complete is ranked and written.
    """
    if prompt == "help":
        return show_grammar()
    seconds = None if budget is None else _seconds(budget)
    _check(output, page, [receptor, Path(pocket_ligand), Path(scaffold or "")])
    check_threads(threads)
    atoms = added(add)
    load_torch()
    from moldiff.cpu import using_threads
    from moldiff.design import pockets as designing
    from moldiff.methods import parse_guidance
    from moldiff.models import load
    from moldiff.precision import resolve

    with using_threads(threads):
        clock = designing.Budget(seconds)
        loaded = load(model, device)
        loaded = loaded.replace(precision=resolve(precision, loaded.device))
        guides = parse_guidance(guidance or [])
        said: dict[str, Any] = {"prompt": prompt, "conditions": conditions(condition or [])}
        said |= {"without": symbols(without), "only": symbols(only), "size": sizes(size)}
        demands = demands_of(loaded, said, guides)
        options: dict[str, Any] = {
            "model": loaded,
            "seed": seed,
            "steps": steps,
            "size": demands.size,
            "conditions": demands.conditions,
            "without": demands.without,
            "guidance": guides,
            "temperature": temperature,
        }
        with _display(number or _ANY, seconds) as (show, tell):
            bench = designing.prepare(
                receptor,
                pocket_ligand,
                clock,
                scaffold=scaffold,
                start=None if start is None else start.value,
                at=at,
                exclude=symbols([exclude] if exclude else None),
                keep=symbols([keep] if keep else None),
                show=show,
                **options,
            )
            for note in bench.notes:
                remark(f"Note: {note}")
            limit = number or (_USUAL if seconds is None else _ANY)
            made, stopped = _made(bench, limit, clock, tell, {**options, "add": atoms})
        outcome = bench.outcome(made, clock)
    _finish(bench, outcome, output, page, pick, seed)
    if stopped:
        raise Interrupted(f"Interrupted: what was complete is in {output}.")


def added(text: str | None) -> Interval | None:
    """Parse ``NUMBER`` or ``LOW-HIGH``; raise ``InputError`` for anything else."""
    from moldiff.chem.demands import Interval
    from moldiff.text import numbers_of

    numbers = None if text is None else numbers_of(text.replace("..", "-"))
    if text is None:
        return None
    if not numbers or "," in text or numbers[0] < 1:
        raise InputError(
            f"--add is a number of atoms from 1 on, not '{text}'.", fix="Write --add 5, or 3-10."
        )
    return Interval(numbers[0], numbers[-1])


def _seconds(text: str) -> float:
    """Parse ``600``, ``600s``, ``10min`` or ``1h``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|)", text.strip())
    if found is None or not float(found[1]):
        raise InputError(
            f"--budget is a time above 0, not '{text}'.", fix="Write --budget 600s, 10min or 1h."
        )
    return float(found[1]) * _UNITS[found[2]]


def _check(output: Path, page: Path | None, read: list[Path]) -> None:
    check_output(output, (".sdf",))
    check_apart("--output", output, read)
    check_apart("--output", output.with_suffix(".csv"), read)
    if page is not None:
        check_output(page, (".html", ".htm"))
        check_apart("--page", page, [*read, output, output.with_suffix(".csv")])


@contextmanager
def _display(number: int, seconds: float | None) -> Iterator[tuple[Any, Any]]:
    """Give a function for the stage, and one for how far the designs are, by number or time."""
    with bar("{task.fields[note]}") as shown:
        line = shown.add_task("preparing", total=None, note="")

        def show(stage: str) -> None:
            shown.update(line, description=stage)

        def tell(done: float, used: float, note: str) -> None:
            total, part = (number, done) if seconds is None else (seconds, min(used, seconds))
            shown.update(line, description="designing", total=total, completed=part, note=note)

        yield show, tell


def _made(
    bench: Bench,
    n: int,
    clock: Budget,
    tell: Callable[[float, float, str], None],
    options: dict[str, Any],
) -> tuple[list[Design], bool]:
    """The designs that are complete in the end, and whether Ctrl-C was the end."""
    made: list[Design] = []
    drawn = 0.0

    def progress(amount: float) -> None:
        nonlocal drawn
        drawn += amount
        passing = sum(design.reason is None for design in made)
        tell(drawn, clock.used, f"{len(made)} made, {passing} pass")

    try:
        for design in bench.designs(n, clock, **options, progress=progress):
            made.append(design)
    except KeyboardInterrupt:
        if not made:
            raise Interrupted("Interrupted: nothing was written.") from None
        return made, True
    return made, False


def _finish(
    bench: Bench, outcome: Outcome, output: Path, page: Path | None, pick: int | None, seed: int
) -> None:
    """Write the files, and say what came of it."""
    chosen = outcome.picked(pick, seed)
    files = outcome.write(output, chosen)
    if page is not None and chosen:
        from moldiff.docking.api import write_page

        write_page(page, bench.site, output, bench.ligand, title="Designs")
        files.append(page)
    if chosen:
        _show(outcome, chosen[:_SHOWN])
    valid = sum(d.made.failure is None for d in outcome.made)
    kept = sum(d.tags.get("part_kept") == "yes" for d in outcome.made)
    settled = sum(d.settled is not None for d in outcome.made)
    rows = [
        ("starts", ", ".join(start.name for start in bench.starts)),
        ("designs", f"{len(outcome.made)}"),
        ("strictly valid", percent(valid, len(outcome.made))),
        ("part kept exactly", f"{kept} of {settled} that were settled"),
        ("pass all checks, once each", percent(len(outcome.kept), len(outcome.made))),
        *((f"  rejected: {why}", f"{k}") for why, k in outcome.reasons.most_common(4)),
    ]
    if outcome.reference is not None:
        told = f"{outcome.reference.energy:.2f} kcal/mol; {outcome.better} designs are below it"
        rows.append(("pocket's ligand, minimised in place", told))
    rows += [("seconds", f"{outcome.seconds:.1f}"), ("files", ", ".join(map(str, files)))]
    table(rows)
    if not chosen:
        what = "design was made" if not outcome.made else "design passes the checks"
        raise InputError(
            f"No {what}; the table is {files[1]}.",
            fix="Give more time or a larger -n, another part, or fewer atoms by --add.",
        )


def _show(outcome: Outcome, designs: tuple[Design, ...]) -> None:
    rows = []
    for rank, design in enumerate(designs, start=1):
        settled = design.settled
        energy, score = (settled.energy, settled.score) if settled else (0.0, 0.0)
        heavy = design.made.mol.GetNumHeavyAtoms()
        rows.append((f"{rank}", f"{energy:.2f}", f"{score:.1f}", f"{heavy}", design.smiles))
    header = ["rank", "kcal/mol", "score", "heavy atoms", "SMILES"]
    table(rows, header=header, title=f"The best of {counted(len(outcome.kept), 'design')}")
