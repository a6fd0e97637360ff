"""Options of the commands that read a receptor: what of its file is taken."""

from __future__ import annotations

from typing import Annotated

import typer

from moldiff.errors import InputError

__all__ = ["Assembly", "Exclude", "Keep", "ReceptorModel", "Waters", "waters_of"]

Exclude = Annotated[
    str | None,
    typer.Option(metavar="NAME,A:301", help="Leave these residues out of the receptor."),
]

Keep = Annotated[
    str | None,
    typer.Option(metavar="HOH,A:401", help="Keep these: waters, ligands, additives."),
]

Assembly = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Build biological assembly N of the file. [default: the chains as they are]",
    ),
]

Waters = Annotated[
    str | None,
    typer.Option(
        metavar="all|A", help="Keep all waters, or those within A Å of a ligand of the file."
    ),
]


ReceptorModel = Annotated[
    int, typer.Option(min=1, help="The model to take, of a receptor with several (NMR).")
]


def waters_of(text: str | None) -> bool | float:
    """Parse the value of `Waters`; raise ``InputError`` for anything else."""
    if text is None:
        return False
    if text.strip().lower() == "all":
        return True
    try:
        reach = float(text)
    except ValueError:
        reach = -1.0
    if not 0 < reach <= 20:
        raise InputError(
            f"--waters takes all, or a distance up to 20 Å, not '{text}'.",
            fix="Write --waters all, or --waters 5 for those within 5 Å of a ligand.",
        )
    return reach
