"""``benchmark family``: its options, and what they start."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from moldiff.bundled import SMALL
from moldiff.errors import InputError
from moldiff.report import picture

__all__ = ["add", "run"]

_QUICK_MINUTES = 0.05


def add(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    family = commands.add_parser(
        "family",
        help="every method trained for the same CPU time, and compared; hours",
        description="Trains every method of `moldiff methods` for the same CPU time from the same "
        "seed on the same batches (distilled ones from the flagship), samples each at its own "
        "setting and in 1 to 128 steps, and prints one table. What is finished is kept: the same "
        "command goes on after any interruption.",
    )
    family.add_argument("--minutes", type=float, help="CPU minutes of training of each [15]")
    family.add_argument("--samples", type=int, help="molecules of each measurement [500]")
    family.add_argument("--only", nargs="+", default=[], metavar="NAME", help="some methods [all]")
    family.add_argument("--recipe", default="family", help="training configuration [family]")
    family.add_argument("--data", help="prepared data [the recipe's: data/qm9-skeleton]")
    family.add_argument("--teacher", default=SMALL, help=f"what is distilled [{SMALL}]")
    family.add_argument("--codec", help="codec of latent methods [the method's own]")
    family.add_argument(
        "--runs", type=Path, default=Path("runs/family"), help="where results lie [runs/family]"
    )
    family.add_argument("--threads", type=int, default=1, help="threads of one operation [1]")
    family.add_argument(
        "-o", "--output", type=Path, default=Path("family.json"), help="JSON file [family.json]"
    )
    family.add_argument("--picture", type=Path, help="also draw: .png, .svg or .pdf (matplotlib)")
    family.add_argument("--readme", type=Path, help="also put the table into this file")
    family.add_argument("--report-only", action="store_true", help="show what is done so far")
    family.add_argument(
        "--quick", action="store_true", help="try everything in seconds; the figures mean nothing"
    )


def run(options: argparse.Namespace) -> None:
    """Run the comparison and show it.

    Raises
    ------
    InputError
        If an option is wrong.
    """
    _check(options)
    # Only now what is slow to import.
    from dataclasses import replace

    from moldiff.benchmark.family import picture as drawing
    from moldiff.benchmark.family.members import Setup
    from moldiff.benchmark.family.report import into_readme, markdown
    from moldiff.benchmark.family.study import QUICK, Plan, compare
    from moldiff.cpu import set_threads
    from moldiff.report.document import write

    set_threads(options.threads)
    usual = _QUICK_MINUTES if options.quick else 15.0
    setup = Setup(
        recipe=options.recipe,
        data=options.data,
        runs=options.runs,
        minutes=usual if options.minutes is None else options.minutes,
        teacher=options.teacher,
        codec=options.codec,
        threads=options.threads,
    )
    plan = QUICK if options.quick else Plan()
    if options.samples is not None:
        plan = replace(plan, samples=options.samples)
    document = compare(setup, plan, options.only, _say, report_only=options.report_only)
    print(markdown(document))
    write(document, options.output)
    _say(f"Written: {options.output}")
    drawn = options.picture if any(row["curve"] for row in document["rows"]) else None
    if drawn is not None:
        drawing.draw(document, drawn)
        _say(f"Drawn: {drawn}")
    elif options.picture is not None:
        _say(f"Nothing is measured: {options.picture} is not drawn.")
    if options.readme is not None:
        into_readme(document, options.readme, drawn)
        _say(f"Put into: {options.readme}")


def _check(options: argparse.Namespace) -> None:
    from moldiff.benchmark.family.report import SECTION
    from moldiff.report.markdown import around_section

    if options.threads < 1:
        raise InputError(f"--threads must be at least 1, not {options.threads}.")
    for name in ("minutes", "samples"):
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"--{name} must be above 0, not {value}.")
    for path in filter(None, (options.output, options.picture)):
        if not path.resolve().parent.is_dir():
            raise InputError(f"There is no directory '{path.parent}' for '{path.name}'.")
    if options.picture is not None:
        picture.check(options.picture)
    if options.readme is not None:
        around_section(options.readme, SECTION)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
