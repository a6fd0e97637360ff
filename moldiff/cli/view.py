"""``moldiff view``: molecules as a self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.output import check_output, table
from moldiff.cli.records import Readable

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
    from moldiff.io import molecule_stem

    target = output or file.parent / f"{molecule_stem(file)}.html"
    check_output(target, (".html", ".htm"))
    from moldiff.view import read_trajectories, write_html

    records = Readable(file)
    frames = read_trajectories(trajectory) if trajectory is not None else None
    write_html(target, records, title=file.name, trajectories=frames, limit=limit)
    broken = f" ({records.unreadable} unreadable)" if records.unreadable else ""
    size = f"{target.stat().st_size / 1e6:.1f} MB"
    table([("molecules", f"{records.count}{broken}"), ("page", f"{target} ({size})")])
    if show:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())
