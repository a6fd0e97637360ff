"""Markdown: tables, cells, and sections of a file between two comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from moldiff.errors import InputError
from moldiff.text import replace_text

__all__ = ["around_section", "markdown_table", "percent", "replace_section"]


def around_section(path: Path, name: str) -> tuple[str, str]:
    """Return the text before and after a section, the lines between two comments.

    The comments ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->`` occur once each; they belong to
    the text around the section.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such section.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        with path.open(encoding="utf-8", newline="") as file:  # preserves line ends
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"Cannot read '{path}': {reason}.", fix="Check the path.") from error
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(
            f"'{path}' lacks the place for the table.",
            fix=f"The lines {begin} and {end} must be in it, each once, in this order.",
        )
    before, rest = text.split(begin)
    return before + begin, end + rest.split(end)[1]


def replace_section(path: Path, name: str, section: str) -> None:
    """Replace a section by whole lines of text; see :func:`around_section`."""
    before, after = around_section(path, name)
    replace_text(
        path.resolve(), f"{before}\n{section}{after}"
    )  # follows a link instead of replacing it


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None
) -> str:
    """Return a table; columns from ``numbers_from`` on are right-aligned."""
    last = len(header) if numbers_from is None else numbers_from
    rule = ["---" if k < last else "--:" for k in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def percent(share: float | None) -> str:
    """Format a fraction, 0 to 1, as a percentage; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f}"
