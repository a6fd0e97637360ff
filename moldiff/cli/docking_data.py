"""``moldiff data complexes`` and ``moldiff data decoys``: what docking's models are trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.description import describe_complexes
from moldiff.cli.options import Jobs, command_line, lines_of, processes
from moldiff.cli.progress import preparing

COMPLEXES = (
    "moldiff data complexes sets/a sets/b --output data/complexes",
    "moldiff data complexes sets/a --output data/a --jobs 8",
)
DECOYS = (
    "moldiff data decoys data/complexes sets/a sets/b --output data/decoys",
    "moldiff train ranks",
)


def complexes(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Sets with ID/ligand.sdf and ID/pocket.pdb."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Directory of the data set.")
    ] = Path("data/complexes"),
    jobs: Jobs = None,
    seed: Annotated[int, typer.Option(help="Changes conformers and what is held out.")] = 0,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="Only the first of each set, for a quick look."),
    ] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(help="File with complexes to leave out, one SET/ID on a line."),
    ] = None,
) -> None:
    """Prepare protein-ligand complexes for training a docking model.

    Interrupted, the same command goes on where it stopped. Similar pockets are kept together
    when some are held out; never give it a set that models are to be tested on.
    """
    from moldiff.data.prepare_complexes import parts_folder, prepare_complexes

    again = command_line(
        "data",
        "complexes",
        *folders,
        output=output,
        jobs=jobs,
        seed=seed or None,
        limit=limit,
        leave_out=leave_out,
    )
    with preparing(parts_folder(output), again) as show:
        store = prepare_complexes(
            folders,
            output,
            jobs=processes(jobs),
            seed=seed,
            limit=limit,
            exclude=frozenset(lines_of(leave_out, "--leave-out") if leave_out else ()),
            progress=show,
        )
    describe_complexes(store)


def decoys(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared complexes.")],
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="The sets they were prepared from.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Directory of the data set.")
    ] = Path("data/decoys"),
    jobs: Jobs = None,
    seed: Annotated[int, typer.Option(help="Changes the poses.")] = 0,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="So many complexes, those held out first."),
    ] = None,
) -> None:
    """Make right and wrong poses of complexes, for training a ranker of poses.

    Each complex is searched for about a second, near the known pose and elsewhere, without any
    network. Interrupted, or with a larger --limit, the same command goes on where it stopped.
    """
    from moldiff.data.complexes import ComplexStore
    from moldiff.docking.decoys import parts_folder, prepare_decoys

    complexes = ComplexStore.open(directory)
    again = command_line(
        "data",
        "decoys",
        directory,
        *folders,
        output=output,
        jobs=jobs,
        seed=seed or None,
        limit=limit,
    )
    with preparing(parts_folder(output), again) as show:
        store = prepare_decoys(
            complexes,
            folders,
            output,
            jobs=processes(jobs),
            seed=seed,
            limit=limit,
            progress=show,
        )
    describe_complexes(store)
