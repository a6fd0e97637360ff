"""``moldiff complete``: the missing residues of a protein."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import (
    check_apart,
    check_output,
    check_threads,
    counted,
    file_names,
    files_line,
    remark,
    table,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import stages
from moldiff.cli.requests import Threads
from moldiff.cli.startup import load_torch
from moldiff.errors import MoldiffError
from moldiff.text import replace_text

if TYPE_CHECKING:
    from moldiff.completion.result import Completion

EXAMPLES = (
    "moldiff complete 1abc.cif -o filled.cif",
    "moldiff complete 1abc.pdb --sequence 1abc.fasta --max-gap 8 --report filled.json",
    "moldiff complete model.pdb --rebuild A:45-56 --ensemble 50 -o rebuilt.pdb",
    "moldiff dock --complete --receptor 1abc.cif --ligand a.sdf --pocket-ligand A:301",
)

_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")


@scriptable(".pdb")
def command(
    receptor: Annotated[
        Path, typer.Argument(metavar="STRUCTURE", help="The protein: .pdb or .cif, also .gz.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="The completed structure (.pdb, .cif)."),
    ] = Path("filled.pdb"),
    sequence: Annotated[
        Path | None,
        typer.Option(
            metavar="FASTA",
            help="Sequences of the chains, records named by chain: '>A'. [default: those that the "
            "structure's file holds]",
        ),
    ] = None,
    max_gap: Annotated[
        int, typer.Option(help="Residues of the longest gap to build, at most 15.")
    ] = 15,
    ensemble: Annotated[int, typer.Option(min=1, help="Conformations to draw of each gap.")] = 10,
    rebuild: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A:45-56",
            help="Build these residues anew, gaps between them too, and no others; repeatable.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same residues.")] = 0,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A model of protein backbones.")
    ] = "backbones",
    report: Annotated[
        Path | None, typer.Option(help="Write what was built, and how surely, as JSON.")
    ] = None,
    threads: Threads = 1,
    html: Annotated[
        bool, typer.Option("--html/--no-html", help="Write a page with the ensemble.")
    ] = True,
    force: Force = False,
) -> None:
    """Build the missing residues inside the chains of a protein.

    Gaps are found by sequence: SEQRES records, the sequence tables of mmCIF, or a FASTA file. What
    is there is kept as it is written, with its numbers. Each gap is built or refused with a reason;
    missing ends of chains are left out.

    Built chains are closed, of L-amino acids and trans peptides (before proline cis is possible),
    and their backbones clash with nothing. Spread is how far conformations of the ensemble differ,
    in Å: the B-factor of built atoms is made of it. It says how sure the model is, not how right.

    Exit status 1 if residues are missing and none is built, or not all of --rebuild.
    """
    check_output(output, _SUFFIXES)
    page = output.with_suffix(".html") if html else None
    read = [receptor, *([sequence] if sequence is not None else [])]
    for option, path, suffix in (("the page", page, ".html"), ("--report", report, ".json")):
        if path is not None:
            check_output(path, (suffix,))
            check_apart(option, path, [*read, output])
    check_apart("--output", output, read)
    kinds = {output: "completed", page: "page", report: "completion"}
    check_replaceable({path: kind for path, kind in kinds.items() if path}, force=force)
    check_threads(threads)
    load_torch()
    from moldiff.completion.api import complete

    try:
        with stages() as show:
            done = complete(
                receptor,
                sequence=sequence,
                max_gap=max_gap,
                ensemble=ensemble,
                rebuild=rebuild or (),
                seed=seed,
                model=model,
                threads=threads,
                progress=lambda k, n: show("building gaps", k, n),
            )
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was written.") from None
    done.write(output)
    files = [output]
    if report is not None:
        replace_text(report, done.to_json())
        files.append(report)
    if page is not None:
        done.write_page(page)
        files.append(page)
    _tell(done, files)
    _check_met(done, max_gap, rebuild=bool(rebuild))


def _check_met(done: Completion, max_gap: int, *, rebuild: bool) -> None:
    """Raise ``MoldiffError`` if nothing is built of what is missing, or not all of --rebuild."""
    from moldiff.domain.backbones import LONGEST
    from moldiff.protein.absent import NUCLEIC, UNTOLD

    lacking = [one for one in done.refused if one.reason != NUCLEIC]  # only proteins are built
    if not lacking or (done.built and not rebuild):
        return
    what = "Not all residues of --rebuild are" if done.built else "Nothing is"
    first = lacking[0]
    fix = "Check the sequence."
    if rebuild:
        fix = "Give another range, or another sequence."
    elif first.reason == UNTOLD:
        fix = "Give it with --sequence FILE."
    elif max_gap < (first.residues or 0) <= LONGEST:
        fix = f"Give --max-gap {first.residues}."
    raise MoldiffError(f"{what} built: {first.where}, {first.reason}.", fix=fix)


def _gaps(done: Completion) -> list[tuple[str, str, str, str]]:
    """Where, residues, spread in Å, and conformations or why there are none, for each gap."""
    built = [
        (
            str(one.absent),
            one.absent.letters,
            one.typical_spread,
            f"{len(one.ensemble)} of {one.drawn}",
        )
        for one in done.built
    ]
    refused = [
        (one.where, str(one.residues or "–"), "–", f"not built: {one.reason}")
        for one in done.refused
    ]
    return built + refused


def _tell(done: Completion, files: list[Path]) -> None:
    from moldiff.protein.absent import UNTOLD
    from moldiff.protein.sequence import fasta_of

    for note in done.notes:
        remark(f"Note: {note}")
    rows = _gaps(done)
    if rows:
        built = f"{len(done.built)} of {counted(len(rows), 'gap')} built"
        table(rows, header=("gap", "residues", "spread, Å", "conformations"), title=built, data={})
    else:
        remark("No residues are missing between others.")
    unknown = [one.ends[0] for one in done.refused if one.reason == UNTOLD and one.ends]
    if unknown:
        chains = sorted({done.structure.residues[i].chain for i in unknown})
        remark(f"Tell what is missing there: --sequence FILE, {fasta_of(chains)}")
    seconds = sum(one.seconds for one in done.built)
    table(
        [("CPU-seconds", f"{seconds:.1f}"), ("files", files_line(files))],
        data={**json.loads(done.to_json()), "files": file_names(files)},
    )
