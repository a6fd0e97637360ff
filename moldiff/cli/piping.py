"""Commands in scripts: ``-o -`` writes to stdout, and ``--json`` prints the closing table as JSON.

What else a command prints then goes to stderr, so that stdout is what was asked for and no more.
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.groups import presented
from moldiff.cli.output import PIPED, collected
from moldiff.errors import InputError, MoldiffError

__all__ = ["piped", "print_json", "scriptable"]

_JSON = Annotated[
    bool, typer.Option("--json", help="Print the closing table as JSON, all else on stderr.")
]


def scriptable(suffix: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command ``--json``, and ``-o -`` where it has an output.

    ``suffix`` is the format of what then comes from stdout; None for a command without output.
    """

    def wrapped(command: Callable[..., Any]) -> Callable[..., Any]:
        def run(*, as_json: bool = False, **options: Any) -> None:
            piping = str(options.get("output")) == "-"
            if piping and suffix is None:
                raise InputError(
                    "-o - is stdout, and this command cannot write there.",
                    fix="Give a path; --json prints the closing table.",
                )
            if as_json and piping:
                raise InputError(
                    "--json and -o - both write to stdout.", fix="Give one of them, or a file."
                )
            if as_json:
                return _as_json(command, options)
            if not piping:
                return command(**options)
            assert suffix is not None
            with piped(suffix) as path:
                page = {"html": False} if "html" in options else {}  # it would not last
                return command(**{**options, **page, "output": path})

        flag = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False)
        parameters = inspect.signature(command, eval_str=True).parameters.values()
        return presented(run, command, [*parameters, flag.replace(annotation=_JSON)])

    return wrapped


def _as_json(command: Callable[..., Any], options: dict[str, Any]) -> None:
    """Run a command and print what its tables say, also where it fails after them."""
    failure: MoldiffError | Interrupted | None = None
    with collected() as tables:
        try:
            command(**options)
        except (MoldiffError, Interrupted) as error:
            failure = error
    if tables or failure is None:
        print_json(tables)
    if failure is not None:
        raise failure


def print_json(document: object) -> None:
    """Print a document as JSON on stdout; numbers that are not finite become null."""
    from moldiff.report.document import plain

    values = plain(document, digits=8)
    print(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False, default=str))


@contextmanager
def piped(suffix: str) -> Iterator[Path]:
    """Give a file to write that goes to stdout when the block ends, be it by an error."""
    stdout = sys.stdout
    with tempfile.TemporaryDirectory(prefix="moldiff-") as folder:
        path = Path(folder) / f"stdout{suffix}"
        token = PIPED.set(path)
        try:
            with redirect_stdout(sys.stderr):
                yield path
        finally:
            PIPED.reset(token)
            for file in Path(folder).glob(f"stdout*{suffix}"):  # a shard's is stdout.1of4.sdf
                stdout.write(file.read_text(encoding="utf-8"))
                stdout.flush()
