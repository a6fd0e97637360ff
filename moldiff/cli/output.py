"""Shared terminal output of the commands: tables, progress, checks of output files.

Results go to stdout, progress and remarks to stderr.  rich loads on first use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import InputError, did_you_mean
from moldiff.interrupts import held
from moldiff.text import counted

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

__all__ = [
    "PIPED",
    "bar",
    "check_apart",
    "check_output",
    "check_positive",
    "check_processes",
    "check_threads",
    "check_writable",
    "collected",
    "commonest",
    "counted",
    "duration",
    "examples",
    "file_names",
    "files_line",
    "fraction",
    "pairs",
    "percent",
    "print_wide",
    "remark",
    "shown_directory",
    "table",
    "tell",
]

_STATUS = (
    "Exit status: 0 success, 1 failure, 2 an unusable request (options, files, configuration), "
    "130 interrupted."
)
_WIDTH = 120  # columns of tables written to a file or a pipe


def examples(*lines: str) -> str:
    """Format the end of a command's help: examples (``\\b`` preserves lines), exit status."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"Examples:\n\n\b\n{shown}\n\n{_STATUS}"


def remark(text: str) -> None:
    """Print a remark on stderr; results go to stdout.

    In one piece, so that lines of two threads are two lines.
    """
    print(f"{text}\n", end="", file=sys.stderr)


def percent(part: int, whole: int) -> str:
    """Format a count with its percentage: ``30 (93.8 %)``."""
    return f"{part} ({100 * part / whole:.1f} %)" if whole else str(part)


def duration(seconds: float) -> str:
    """Format a time: ``45 s``, ``12 min``, ``3 h 05 min``, ``2 d 03 h``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60:02d} h"


def commonest(kinds: Mapping[str, int], at_most: int) -> str:
    """List ``kinds``, sorted with the commonest first: ``a (7), b (2), and 3 more kinds``."""
    items = [f"{kind} ({number})" for kind, number in kinds.items()]
    more = [f"and {counted(len(items) - at_most, 'more kind')}"] if len(items) > at_most else []
    return ", ".join([*items[:at_most], *more])


def shown_directory(path: Path) -> str:
    """Return a directory for a message: resolved if the path is only ``.`` or ``..``."""
    return str(path) if path.name not in ("", "..") else str(path.resolve())


_TABLES: ContextVar[dict[str, Any] | None] = ContextVar("tables", default=None)
PIPED: ContextVar[Path | None] = ContextVar("piped", default=None)
"""The temporary file that goes to stdout, with ``-o -``; what is beside it does not last."""


@contextmanager
def collected() -> Iterator[dict[str, Any]]:
    """Collect what the tables of the block tell as plain values instead of printing them.

    That is what `table` is given for programs.  What else is printed goes to stderr.
    """
    tables: dict[str, Any] = {}
    token = _TABLES.set(tables)
    try:
        with redirect_stdout(sys.stderr):
            yield tables
    finally:
        _TABLES.reset(token)


def file_names(paths: Iterable[Path]) -> list[str]:
    """Return the names of files that are there when the command ends; of a pipe ``stdout``."""
    piped = PIPED.get()
    if piped is None:
        return [str(path) for path in paths]
    there = [path for path in paths if path.parent != piped.parent or path.suffix == piped.suffix]
    return ["stdout" if path.parent == piped.parent else str(path) for path in there]


def files_line(paths: Iterable[Path]) -> str:
    """Return `file_names` as text."""
    return ", ".join(file_names(paths))


def fraction(count: int, whole: int) -> dict[str, float | None]:
    """Return what `percent` says for programs."""
    return {"count": count, "percent": 100 * count / whole if whole else None}


def table(
    rows: Iterable[Sequence[object]],
    *,
    header: Sequence[str] = (),
    title: str | None = None,
    data: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> None:
    """Print a table on stdout: names in the first column, values in the others.

    ``data`` are the same for programs (``--json``): keys that do not depend on the data, numbers as
    numbers, None for what is missing.  Without it the rows of a table with a header are a list
    there, under the name ``key``.
    """
    rows = list(rows)
    if (tables := _TABLES.get()) is not None:
        if data is None:
            data = {str(key): [dict(zip(header, row, strict=True)) for row in rows]}
        tables |= data
        return
    cells = [[str(cell) for cell in row] for row in rows]
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD if header else None, show_header=bool(header), title=title)
    if title:
        drawn.title_justify = "left"
    for k in range(max([len(header), *(len(row) for row in cells)])):
        style = "bold" if k == 0 else None
        drawn.add_column(header[k] if k < len(header) else "", style=style, overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: brackets are not markup
    print_wide(drawn)


def tell(data: Mapping[str, Any]) -> None:
    """Tell programs (``--json``) what no table says."""
    if (tables := _TABLES.get()) is not None:
        tables |= data


def print_wide(drawn: Table) -> None:
    """Print a rich table on stdout, wide if stdout is not a terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else _WIDTH).print(drawn)


def pairs(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested mappings into (dotted key, text) rows."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from pairs(value, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(str(item) for item in value)
        else:
            yield name, f"{value:.6g}" if isinstance(value, float) else str(value)


@contextmanager
def bar(*columns: str) -> Iterator[Progress]:
    """Give a progress display on stderr, with columns of these formats behind the bar.

    It is silent if stderr is not a terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *(TextColumn(column) for column in columns),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    try:
        with held():  # Ctrl-C must not wake the drawing thread
            progress.start()
        yield progress
    finally:
        with held():  # a second Ctrl-C would leave the terminal without its cursor
            progress.stop()


def check_output(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Raise an error, before any work, if an output file cannot be written.

    Raises
    ------
    InputError
        If the suffix is not in ``suffixes``, the directory is missing or may not be written to, or
        the path is a directory.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(
            f"The output '{path}' has the unknown suffix '{path.suffix}'.",
            fix=did_you_mean(path.suffix.lower(), suffixes),
        )
    if not path.parent.is_dir():
        raise InputError(
            f"There is no directory '{path.parent}' for the output '{path.name}'.",
            fix=f"Create it first: mkdir -p '{path.parent}'",
        )
    if path.is_dir():
        raise InputError(f"The output '{path}' is a directory.", fix="Give the name of a file.")
    check_writable(path.parent)


def check_writable(folder: Path) -> None:
    """Raise ``InputError`` if nothing may be written to a directory, or where it is to be made."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"The directory '{there.absolute()}' may not be written to.",
            fix="Write into one of yours, or change its permissions.",
        )


def check_apart(option: str, written: Path, others: Iterable[Path]) -> None:
    """Raise ``InputError`` if one file serves two purposes; links are followed."""
    if os.path.realpath(written) in {os.path.realpath(other) for other in others}:
        raise InputError(
            f"{option} would overwrite '{written}', which is used for something else.",
            fix=f"Give {option} a file of its own.",
        )


def check_threads(threads: int | None, name: str = "--threads") -> None:
    """Raise ``InputError`` for more than four threads per core; accept None.

    ``name`` is the user's name for the number.
    """
    most = 4 * (os.cpu_count() or 1)
    if threads is not None and not 1 <= threads <= most:
        raise InputError(
            f"{name} must be from 1 to {most} on this machine, not {threads}.",
            fix=f"Try --threads {os.cpu_count() or 1}, one for each core.",
        )


def check_processes(processes: int, threads: int) -> None:
    """Raise ``InputError`` for more than four threads per core in all; remark on more than one."""
    cores = os.cpu_count() or 1
    threads_in_all = processes * threads
    few = f"--processes {max(1, cores // threads)}"
    if threads_in_all > 4 * cores:
        raise InputError(
            f"{counted(processes, 'process')} of {counted(threads, 'thread')} each are too many "
            f"for the {counted(cores, 'core')} of this machine.",
            fix=f"Try {few}.",
        )
    if processes > 1 and threads_in_all > cores:
        remark(
            f"{counted(processes, 'process')} of {counted(threads, 'thread')} each share "
            f"{counted(cores, 'core')} and wait for each other: try {few}."
        )


def check_positive(option: str, value: float | None) -> None:
    """Raise ``InputError`` unless a number is finite and above 0; accept None."""
    if value is not None and not 0 < value < float("inf"):
        raise InputError(f"{option} must be a number above 0, not {value}.", fix=f"Try {option} 1.")
