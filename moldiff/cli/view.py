"""``moldiff view``: molecules as a self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.output import check_output, table

EXAMPLES = (
    "moldiff view molecules.sdf",
    "moldiff view molecules.sdf -o page.html --open",
    "moldiff view one.sdf --trajectory denoising.xyz",
)


def command(
    file: Annotated[Path, typer.Argument(help="Molecules: .sdf, .mol, .mol2, .xyz, .smi, .json.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page. [default: FILE with the suffix .html]"),
    ] = None,
    trajectory: Annotated[
        Path | None,
        typer.Option(help="Denoising to play, from moldiff generate --trajectory (.xyz)."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Molecules to show at most.")] = 2000,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = False,
) -> None:
    """Show molecules in 3D on an HTML page.

    One file that needs no network: rotate, sort, filter, play the denoising.
    """
    target = output or Path(f"{file.name.split('.')[0]}.html")
    if output is None:
        target = file.parent / target
    check_output(target, (".html", ".htm"))
    from moldiff.io import read_molecules
    from moldiff.view import read_trajectories, write_html

    records = read_molecules(file)
    frames = read_trajectories(trajectory) if trajectory is not None else None
    write_html(target, records, title=file.name, trajectories=frames, limit=limit)
    table([("page", f"{target} ({target.stat().st_size / 1e6:.1f} MB)")])
    if show:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())
