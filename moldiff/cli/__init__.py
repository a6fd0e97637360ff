"""The command line: ``moldiff COMMAND``.

One file per command parses options and prints; `moldiff.generation`, `moldiff.docking`,
`moldiff.metrics` and `moldiff.train` do the work.  Nothing here imports torch, RDKit or numpy
before a command needs them, so ``moldiff --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from moldiff.cli import (
    benchmark,
    cite,
    data,
    dock,
    evaluate,
    generate,
    info,
    likelihood,
    methods,
    train,
    view,
)
from moldiff.cli.failure import guarded, terminable
from moldiff.cli.output import examples
from moldiff.version import __version__

__all__ = ["main"]

_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    add_completion=False,
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone would cost most of the half second
)
for _name, _module in {
    "generate": generate,
    "dock": dock,
    "evaluate": evaluate,
    "view": view,
    "likelihood": likelihood,
    "train": train,
    "info": info,
    "methods": methods,
    "cite": cite,
}.items():
    app.command(_name, epilog=examples(*_module.EXAMPLES))(_module.command)
app.add_typer(data.app, name="data")
app.add_typer(benchmark.app, name="benchmark")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"moldiff {__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "moldiff generate -n 32 -o molecules.sdf",
        "moldiff dock --receptor 1abc.pdb --ligand a.sdf --pocket-ligand crystal.sdf",
        "moldiff evaluate molecules.sdf -o molecules.json",
        "moldiff view molecules.sdf -o molecules.html",
        "moldiff train my.sdf",
        "moldiff COMMAND --help",
    )
)
def _moldiff(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (anywhere on the line).")
    ] = False,
) -> None:
    """Generate, dock, evaluate and view three-dimensional molecules."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    0: done; 1: it failed; 2: the request cannot be met as it is (options, files,
    configuration); 130: interrupted, by Ctrl-C or SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or os.environ.get("MOLDIFF_DEBUG", "") not in ("", "0")
    arguments = [word for word in arguments if word != "--debug"] or ["--help"]
    with terminable():
        return guarded(
            lambda: app(args=arguments, prog_name="moldiff", standalone_mode=False), debug=debug
        )
