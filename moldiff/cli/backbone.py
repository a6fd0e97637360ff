"""``moldiff backbone``: backbones of proteins, drawn from noise."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import check_apart, check_threads, check_writable, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import stages
from moldiff.cli.requests import Threads
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.backbones.result import Backbones

EXAMPLES = (
    "moldiff backbone -n 20 --length 60-80 -o backbones",
    "moldiff backbone -n 8 --structure CCHHHHHHHHHHHHHHHCCCCHHHHHHHHHHHHHHHHCCCHHHHHHHHHHHHHHHCC",
    "moldiff backbone -n 8 --like 1abc.pdb --chain B --noise 0.4 --sequences 8 -o variants",
    "moldiff backbone -n 8 --motif 1abc.pdb --contig 10-20/A12-30/15-25 -o scaffolds",
)

_SHOWN = 20  # rows of the closing table


class Format(StrEnum):
    """The formats of structures."""

    PDB = "pdb"
    CIF = "cif"


@scriptable()
def command(
    n: Annotated[
        int, typer.Option("-n", "--number", min=1, max=10_000, help="Number of backbones.")
    ] = 1,
    length: Annotated[
        str | None,
        typer.Option(metavar="N|N-N", help="Residues, or a range to draw from. [default: 40-80]"),
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(
            metavar="HHH...|free",
            help="Secondary structure, a letter for each residue: H helix, E strand, C neither, "
            "? any; or free: none is told. [default: drawn as proteins have them]",
            show_default=False,
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(metavar="STRUCTURE", help="Begin with a chain of a .pdb or .cif, and noise."),
    ] = None,
    chain: Annotated[
        str | None,
        typer.Option(metavar="A", help="Which chain of --like. [default: the first]"),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="How much noise --like gets, above 0 to 1. [default: 0.3]"),
    ] = None,
    motif: Annotated[
        Path | None,
        typer.Option(metavar="STRUCTURE", help="A .pdb or .cif with residues to draw around."),
    ] = None,
    contig: Annotated[
        str | None,
        typer.Option(
            metavar="N-N/A12-30/N...",
            help="Residues of --motif, which stay where they are, and how many new ones are around "
            "and between them.",
        ),
    ] = None,
    sequences: Annotated[
        int, typer.Option(min=0, max=10_000, help="Sequences to design for each.")
    ] = 1,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="The folder of the files.")
    ] = Path("backbones"),
    kind: Annotated[
        Format, typer.Option("--format", help="The format of the structures.")
    ] = Format.PDB,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Sampling steps. [default: the model's]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same backbones.")] = 0,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A model of whole backbones.")
    ] = "chains",
    threads: Threads = 1,
    force: Force = False,
) -> None:
    """Draw backbones of proteins from noise, and design sequences for them.

    The folder gets a file of each, residues named by its first sequence, the sequences as FASTA, a
    table with figures, and a page. New residues are ideal, bonds between residues within 0.02 Å of
    ideal. Residues of a motif keep their place, amino acids and side chains; what is drawn stands
    where their file has them.

    Figures compare a backbone with known proteins: contacts along a long way of the chain, size,
    clashes, handedness; unlike natives are those that nine in ten natives have not. They do not say
    that a sequence folds to it: a folding program must.
    """
    if output.is_file() or (output.suffix and not output.is_dir()):
        raise InputError(f"'{output}' is no folder.", fix="Name a folder: -o backbones.")
    check_writable(output)
    check_threads(threads)
    load_torch()
    from moldiff.backbones.api import backbone

    kinds: dict[Path, str | Path] = {
        output / "backbones.csv": "backbones",
        output / "backbones.html": "page",
        output / "sequences.fasta": "folds",
        **{output / f"backbone-{k}.{kind}": "backbone" for k in range(1, n + 1)},
    }
    given = [file for file in (like, motif) if file is not None]
    for file in kinds if given else ():
        check_apart("--output", file, given)
    _check_others(output, kinds, sequences)
    check_replaceable(kinds, force=force)
    try:
        with stages() as show:
            drawn = backbone(
                n,
                length=length,
                structure=structure,
                like=like,
                chain=chain,
                noise=noise,
                motif=motif,
                contig=contig,
                sequences=sequences,
                steps=steps,
                seed=seed,
                model=model,
                threads=threads,
                progress=show,
            )
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was written.") from None
    drawn.save(output, kind)
    _tell(drawn, output)


def _check_others(folder: Path, kinds: Mapping[Path, str | Path], sequences: int) -> None:
    """Refuse a folder where files of another run would be taken for this one's."""
    stale = [path for path in sorted(folder.glob("backbone-*.*")) if path not in kinds]
    if not sequences:
        stale += list(folder.glob("sequences.fasta"))
    if stale:
        raise InputError(
            f"'{folder}' holds {stale[0].name} of another run.",
            fix="Name another folder, or empty this one.",
        )


def _tell(drawn: Backbones, folder: Path) -> None:
    for note in drawn.notes:
        remark(f"Note: {note}")
    header = ("backbone", "residues", "secondary structure", "contacts", "size", "unlike natives")
    keys = ("name", "residues", "structure", "contacts", "size", "unlike")
    rows = drawn.rows()
    shown = [[_cell(row[key]) for key in keys] for row in rows[:_SHOWN]]
    table(shown, header=header, title="Backbones", data={})
    if len(rows) > _SHOWN:
        remark(f"{len(rows) - _SHOWN} more are in the table.")
    data = {"folder": str(folder), "notes": list(drawn.notes), "backbones": rows}
    written = f"{folder / 'backbones.html'}, and a file for each beside it"
    table([("written", written)], data=data)


def _cell(value: object) -> str:
    """A figure as shown: nothing is unlike natives, or it is not known what is."""
    if isinstance(value, float):
        return f"{value:.2f}"
    return "?" if value is None else str(value) or "–"
