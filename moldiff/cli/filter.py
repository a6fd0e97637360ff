"""``moldiff filter``: the molecules of any file that pass filters, and some of these picked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.groups import grouped
from moldiff.cli.options import Force, Jobs, Sifting, processes, sifted, sifted_data
from moldiff.cli.output import (
    check_apart,
    check_output,
    counted,
    file_names,
    files_line,
    remark,
    table,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import stages
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.filtering.sieve import Sieve

EXAMPLES = (
    "moldiff filter molecules.sdf --where 'mw>250 & n_Cl>=1 & sa<4'",
    "moldiff filter a.sdf b.smi c.csv --alerts pains,brenk --distinct -o clean.sdf",
    "moldiff filter made.sdf --seen-rings druglike --novel-to ours.smi --pick 30",
    "moldiff filter poses.sdf --where '<energy_kcal_mol> < -8 & 2 <= rings <= 4' --no-html",
    "moldiff filter hits.sdf --where '<hbond> has \"ARG611\"' -o bound.sdf",
    "moldiff filter library.smi --where 'qed>0.6' --pick 100 --pick-by butina -o chosen.smi",
)


@scriptable(".sdf")
@grouped
def command(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Molecules: .sdf, .mol, .mol2, .xyz, .smi, .csv, .json."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="What is kept: .sdf or .smi; table and page go beside it."
        ),
    ] = Path("kept.sdf"),
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Reject what is not strictly valid, as moldiff evaluate judges it."
        ),
    ] = False,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Of equal molecules keep the first.")
    ] = False,
    sifting: Sifting,
    seed: Annotated[int, typer.Option(help="Of --pick by maxmin.")] = 0,
    jobs: Jobs = None,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Write the page too.")] = True,
    force: Force = False,
) -> None:
    """Keep the molecules that pass all filters, and say of the others why not.

    Records are kept as they are, with coordinates and data fields. OUTPUT's name with .csv is a
    table of all records with every reason of rejection, with .json a summary, with .html a page.
    Properties in --where are those of moldiff generate --prompt help, atoms, charge, and n_ with
    any element. Records that hold no molecule are rejected. Ctrl-C keeps what is done.
    """
    criteria = sifting.criteria(strict=strict, distinct=distinct)
    choice = sifting.choice(seed)
    if not criteria and choice is None:
        raise InputError(
            "Nothing is asked of the molecules.",
            fix="Give a filter, as in --where 'mw>250 & sa<4' or --alerts pains, or --pick 30.",
        )
    _check(output, [*files, *criteria.sources])
    summary_file = output.with_suffix(".json")  # molecules of anybody have no mark of their own
    kinds: dict[Path, str | Path] = {output: summary_file, summary_file: "filtered"}
    kinds[output.with_suffix(".csv")] = "table of all"
    if html:
        kinds[output.with_suffix(".html")] = "page"
    check_replaceable(kinds, force=force)
    from moldiff.filtering.records import items
    from moldiff.filtering.report import summary, write_page
    from moldiff.filtering.sieve import Sieve

    start, stopped = time.perf_counter(), False
    with stages() as show:
        sieve = Sieve(criteria.judge(show), output, choice)
        source = items(
            files, sieve.plan, sieve.filters.fields, sieve.form, jobs=processes(jobs), progress=show
        )
        try:
            with sieve:
                for item in source:
                    sieve.add(item)
                _refuse_absent(sieve, files[0])
        except KeyboardInterrupt:
            stopped = True
    seconds = time.perf_counter() - start
    if stopped and not sieve.outcome.read:
        raise Interrupted("Interrupted: nothing was written.")
    from moldiff.text import replace_text

    document = summary(sieve, criteria, files, complete=not stopped)
    replace_text(output.with_suffix(".json"), json.dumps(document, indent=2) + "\n")
    if html:
        write_page(output.with_suffix(".html"), sieve, output.name)
    written = [output, *(output.with_suffix(s) for s in (".csv", ".json", *([".html"] * html)))]
    _close(sieve, seconds, written, stopped)


def _check(output: Path, read: list[Path]) -> None:
    """Refuse what can be refused before any work."""
    check_output(output, (".sdf", ".smi"))
    for suffix in (output.suffix, ".csv", ".json", ".html"):
        check_apart("--output", output.with_suffix(suffix), read)


def _refuse_absent(sieve: Sieve, first: Path) -> None:
    """Raise ``InputError`` for a data field that no record has, beside those of the first one."""
    from moldiff.filtering.unfound import absent
    from moldiff.io import read_molecules

    for name in sieve.absent:
        one = next(iter(read_molecules(first)))
        raise absent(name, list({**one.cells, **one.tags}))


def _close(sieve: Sieve, seconds: float, written: list[Path], stopped: bool) -> None:
    """Say what came of it."""
    outcome = sieve.outcome
    files = files_line(written)
    if stopped:
        raise Interrupted(
            f"Interrupted: of {counted(outcome.read, 'record')} so far {outcome.kept} are kept, "
            f"in {files}."
        )
    table(
        [
            ("records", f"{outcome.read}"),
            *sifted(sieve),
            ("seconds", f"{seconds:.1f} ({outcome.read / seconds:.0f} records/s)"),
            ("files", files),
        ],
        data={
            "records": outcome.read,
            **sifted_data(sieve),
            "seconds": seconds,
            "files": file_names(written),
        },
    )
    if not outcome.kept:
        says = "".join(f", and {name} says why" for name in file_names([sieve.table]))
        remark(f"No molecule is kept: {files_line([sieve.output])} is empty{says}.")
        for note in sieve.unfound:
            remark(note)
