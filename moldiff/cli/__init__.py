"""The command line: ``moldiff COMMAND``.

One file per command parses options and prints; `moldiff.generation`, `moldiff.docking`,
`moldiff.metrics` and `moldiff.train` do the work.  torch, RDKit and numpy are
imported when a command needs them, so ``moldiff --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from moldiff.cli.failure import guarded, terminable
from moldiff.cli.output import examples
from moldiff.cli.renamed import renamed
from moldiff.cli.sections import SECTIONS, sectioned
from moldiff.cli.startup import process
from moldiff.version import __version__

__all__ = ["application", "main", "run"]

_SETTINGS = {"help_option_names": ["-h", "--help"]}

# In the order of the help; each is a module of this package with a function ``command`` and
# ``EXAMPLES``, or, for a group of commands, with ``app``.
_SINGLE = (
    *(
        "generate",
        "filter",
        "prepare",
        "complete",
        "backbone",
        "sequence",
        "dock",
        "merge",
        "score",
    ),
    *("evaluate", "view", "verify", "likelihood"),
    *("train", "info", "methods", "cite"),
)
_GROUPS = ("design", "data", "benchmark")
_COMMANDS = _SINGLE + _GROUPS
_LONG = ("train", "data", "benchmark")  # long commands, which use Python's garbage collection


def application(names: Sequence[str] = _COMMANDS) -> typer.Typer:
    """Return the command line with the named commands.

    typer inspects the signature of every command; for all of them that takes longer than most
    commands take to start.
    """
    app = typer.Typer(
        add_completion=len(names) == len(_COMMANDS),  # for the whole command line
        context_settings=_SETTINGS,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: rich alone would cost most of the half second
    )
    for name in names:
        module = import_module(f"moldiff.cli.{name}")
        if name in _GROUPS:
            app.add_typer(module.app, name=name)
        else:
            how: dict[str, Any] = {"epilog": examples(*module.EXAMPLES)}
            if name in SECTIONS:
                how["cls"] = sectioned(SECTIONS[name])
            app.command(name, **how)(module.command)
    app.callback(epilog=_EXAMPLES)(_moldiff)
    return app


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()["app"] = app = application()
    return app


_EXAMPLES = examples(
    "moldiff generate -n 32 -o molecules.sdf",
    "moldiff filter molecules.sdf --where 'mw>250 & sa<4' --alerts pains --pick 30 -o kept.sdf",
    "moldiff design grow --scaffold core.sdf --at 7,12 --add 3..10 -o grown.sdf",
    "moldiff prepare 1abc.cif -o prepared.pdb",
    "moldiff dock --receptor 1abc.pdb --ligand a.sdf --pocket-ligand crystal.sdf",
    "moldiff score poses.sdf --receptor 1abc.pdb --minimise",
    "moldiff complete 1abc.cif -o filled.cif",
    "moldiff backbone -n 20 --length 60-80 -o backbones",
    "moldiff sequence backbone.pdb -n 8 -o designs.fasta",
    "moldiff evaluate molecules.sdf -o molecules.json",
    "moldiff view molecules.sdf -o molecules.html",
    "moldiff train my.sdf",
    "moldiff COMMAND --help",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"moldiff {__version__}")
        raise typer.Exit


def _moldiff(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (anywhere on the line).")
    ] = False,
) -> None:
    """Generate, filter, dock, evaluate and view three-dimensional molecules."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    0: success; 1: failure; 2: an unusable request (options, files, configuration); 130:
    interrupted by Ctrl-C or SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or os.environ.get("MOLDIFF_DEBUG", "") not in ("", "0")
    arguments = [word for word in arguments if word != "--debug"] or ["--help"]
    # Anything else (help, an option, a misspelt name) needs all commands.
    names = arguments[:1] if arguments[0] in _COMMANDS else _COMMANDS

    def action() -> Any:
        return application(names)(
            args=renamed(arguments), prog_name="moldiff", standalone_mode=False
        )

    with terminable():
        command = f"moldiff {arguments[0]}" if arguments[0] in _COMMANDS else "moldiff"
        return guarded(action, debug=debug, command=command)


def run() -> None:
    """Run the command line of this process, and end it."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    process(main, sweeping=bool(set(words[:1]) & set(_LONG)))
