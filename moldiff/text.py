"""Text files that are written whole or not at all, sections of them, and Markdown tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from moldiff.errors import InputError

__all__ = ["around_section", "markdown_table", "replace_section", "replace_text", "share"]


def around_section(path: Path, name: str) -> tuple[str, str]:
    """Return what stands before and after a section: the lines between two comments.

    The comments are ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``, each once; they belong to
    what stands around.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such section.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        with path.open(encoding="utf-8", newline="") as file:  # its line ends stay
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"Cannot read '{path}': {reason}.", fix="Check the path.") from error
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(
            f"'{path}' has no place for the table.",
            fix=f"The lines {begin} and {end} must be in it, each once, in this order.",
        )
    before, rest = text.split(begin)
    return before + begin, end + rest.split(end)[1]


def replace_section(path: Path, name: str, section: str) -> None:
    """Put text, whole lines, in the place of a section; see :func:`around_section`."""
    before, after = around_section(path, name)
    replace_text(path.resolve(), f"{before}\n{section}{after}")  # a link stays one


def replace_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary file beside ``path`` and rename it over ``path``.

    Raises ``InputError`` when the place cannot be written; an older file then survives.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        # xmlcharrefreplace: a name read from a latin-1 file may hold lone surrogates
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="xmlcharrefreplace") as stream:
            stream.write(text)
        share(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"Cannot write '{path}': {error.strerror}.",
            fix="Choose a directory that exists, is writable and has space left.",
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def share(path: str | Path, mode: int = 0o666) -> None:
    """Give what was made as a private temporary the permissions that anything new has."""
    mask = os.umask(0)  # there is no way to ask without setting it
    os.umask(mask)
    os.chmod(path, mode & ~mask)


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None
) -> str:
    """Return a table; the columns from ``numbers_from`` on are aligned to the right."""
    last = len(header) if numbers_from is None else numbers_from
    rule = ["---" if k < last else "--:" for k in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
