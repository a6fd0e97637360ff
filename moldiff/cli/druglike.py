"""``moldiff data druglike``: a training set of drug-like molecules from public packages."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.description import describe
from moldiff.cli.options import Jobs, command_line, processes
from moldiff.cli.output import remark
from moldiff.cli.progress import preparing

EXAMPLES = (
    "moldiff data druglike",
    "moldiff data druglike --molecules 250000 --jobs 8",
    "moldiff data druglike --molecules 30000 --refine gfn2 -o data/druglike-gfn2 "
    "--conformer-folder data/druglike.conformers",
    "moldiff data druglike --smiles mine.smi --smiles-alone -o data/mine",
    "moldiff train druglike",
)


class Refinement(StrEnum):
    """How the conformers are refined."""

    GFN2 = "gfn2"


def command(
    molecules: Annotated[
        int, typer.Option(min=1, help="How many of the list are made; may be raised later.")
    ] = 100_000,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Directory of the data set.")
    ] = Path("data/druglike"),
    jobs: Jobs = None,
    refine: Annotated[
        Refinement | None,
        typer.Option(help="Refine the MMFF94 minima with GFN2-xTB; needs the program xtb."),
    ] = None,
    smiles: Annotated[
        list[Path] | None,
        typer.Option(help="Your own molecules, one SMILES on each line; repeatable."),
    ] = None,
    smiles_alone: Annotated[
        bool, typer.Option("--smiles-alone", help="Take the molecules of --smiles alone.")
    ] = False,
    aromatic: Annotated[
        bool, typer.Option("--aromatic", help="Give aromatic bonds a class of their own.")
    ] = False,
    moses: Annotated[
        Path | None,
        typer.Option(metavar="WHEEL", help="PyPI's molsets, if pip cannot fetch it here."),
    ] = None,
    components: Annotated[
        Path | None,
        typer.Option(metavar="WHEEL", help="PyPI's biotite, if pip cannot fetch it here."),
    ] = None,
    conformer_folder: Annotated[
        Path | None,
        typer.Option(help="Where conformers are kept. [default: OUTPUT.conformers]"),
    ] = None,
) -> None:
    """Make a training set of drug-like molecules in 3D from public packages.

    The SMILES are those of MOSES and of the wwPDB's chemical components, inside two wheels that
    pip fetches once (108 MB, into ~/.cache/moldiff) and that are not installed: neutral forms with
    10 to 40 heavy atoms, shuffled. Each gets one conformer (ETKDGv3, MMFF94), its hydrogens are
    folded, and all molecules of a scaffold are in one split. Interrupted or killed, the same
    command goes on where it stopped.
    """
    from moldiff.data.druglike import Request, conformers_folder, prepare

    request = Request(
        molecules,
        refine=refine and str(refine),
        smiles=tuple(smiles or ()),
        smiles_alone=smiles_alone,
        aromatic=aromatic,
        moses=moses,
        components=components,
    )
    again = command_line(
        "data",
        "druglike",
        molecules=molecules,
        output=output,
        jobs=jobs,
        refine=refine,
        smiles=smiles,
        smiles_alone=smiles_alone,
        aromatic=aromatic,
        moses=moses,
        components=components,
        conformer_folder=conformer_folder,
    )
    with preparing(conformer_folder or conformers_folder(output), again) as show:
        store = prepare(
            output,
            request,
            conformers=conformer_folder,
            jobs=processes(jobs),
            progress=show,
            announce=remark,
            command=shlex.join(again),
        )
    describe(store)
