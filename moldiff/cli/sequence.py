"""``moldiff sequence``: amino acids for the backbone of a protein."""

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
from moldiff.text import replace_text

if TYPE_CHECKING:
    from moldiff.sequences.result import Designs

EXAMPLES = (
    "moldiff sequence backbone.pdb -n 8 -o designs.fasta",
    "moldiff sequence 1abc.cif --chains A --fix A:10-20 --without CYS -o designs.fasta",
    "moldiff sequence backbone.pdb --temperature 0.3 --report designs.json -o -",
)

_SUFFIXES = (".fasta", ".fa", ".faa")
_SHOWN = 20  # rows of the closing table


@scriptable(".fasta")
def command(
    backbone: Annotated[
        Path,
        typer.Argument(metavar="STRUCTURE", help="The backbone: .pdb or .cif, also .gz."),
    ],
    n: Annotated[
        int, typer.Option("-n", "--number", min=1, max=10_000, help="Number of sequences.")
    ] = 1,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The sequences (.fasta); - for stdout.")
    ] = Path("designs.fasta"),
    chains: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Chains that get a sequence; others stay and are seen. [default: all]",
        ),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A:10-20",
            help="Residues that keep their amino acid, or a whole chain, 'A:'; repeatable.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="CYS,...", help="Amino acids that are not to be used; repeatable."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="Lower: more of the most probable amino acids; 1: as probable as the model "
            "says. [default: 0.1]"
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Sampling steps; as many as residues: one by one. [default: the model's, 10]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same sequences.")] = 0,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A model of sequences.")
    ] = "sequence",
    report: Annotated[
        Path | None, typer.Option(help="Write the probability of every residue as JSON.")
    ] = None,
    threads: Threads = 1,
    force: Force = False,
) -> None:
    """Design sequences for the backbone of a protein.

    Amino acids are drawn by diffusion, in any order, given the backbone and what is fixed. Records
    are named by file, design and chain, '>backbone-1_A'. They say the share of residues that are as
    in the file (recovery), and the mean log-probability of the designed residues in nats (log_p).

    It says how well a sequence suits the backbone in the model's eyes, not that it folds to it.
    """
    check_output(output, _SUFFIXES)
    check_apart("--output", output, [backbone])
    if report is not None:
        check_output(report, (".json",))
        check_apart("--report", report, [backbone, output])
    kinds = {output: "sequences", report: "sequence"}
    check_replaceable({file: kind for file, kind in kinds.items() if file}, force=force)
    check_threads(threads)
    load_torch()
    from moldiff.sequences.api import sequence

    try:
        with stages() as show:
            designs = sequence(
                backbone,
                n,
                chains=None if chains is None else [c.strip() for c in chains.split(",")],
                fix=fix or (),
                without=without or (),
                temperature=temperature,
                steps=steps,
                seed=seed,
                model=model,
                threads=threads,
                progress=lambda done, total: show("designing", done, total),
            )
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was written.") from None
    designs.save(output)
    if report is not None:
        replace_text(report, designs.to_json())
    _tell(designs, [output, *([report] if report is not None else [])])


def _tell(designs: Designs, files: list[Path]) -> None:
    for note in designs.notes:
        remark(f"Note: {note}")
    header = ("design", "chain", "residues", "designed", "recovery", "log p")
    keys = ("design", "chain", "residues", "designed", "recovery", "log_p")
    rows = designs.rows()
    shown = [["–" if row[key] is None else row[key] for key in keys] for row in rows[:_SHOWN]]
    table(shown, header=header, title=f"Sequences for {designs.template.path.name}", data={})
    if len(rows) > _SHOWN:
        remark(f"{len(rows) - _SHOWN} more are in the file.")
    data = {**json.loads(designs.to_json()), "files": file_names(files)}
    table([("files", files_line(files))], data=data)
