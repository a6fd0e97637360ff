"""Text files that are written whole or not at all, and the parts of them that a program keeps."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from moldiff.errors import InputError

__all__ = ["check_section", "replace_section", "replace_text", "share"]


def check_section(path: Path, name: str) -> tuple[str, str]:
    """Return what stands before and after a section: the lines between two comments.

    The comments are ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``, each once.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such section.
    """
    begin, end = _markers(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"Cannot read '{path}': {reason}.", fix="Check the path.") from error
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(
            f"'{path}' has no place for the table.",
            fix=f"Write the lines {begin.strip()} and {end} where it shall be.",
        )
    before, rest = text.split(begin)
    return before, rest.split(end)[1]


def replace_section(path: Path, name: str, section: str) -> None:
    """Put text, whole lines, in the place of a section; see :func:`check_section`."""
    before, after = check_section(path, name)
    begin, end = _markers(name)
    replace_text(path, before + begin + section + end + after)


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"


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


def share(path: str | Path) -> None:
    """Give a temporary file, which is made private, the permissions of any other new file."""
    mask = os.umask(0)  # there is no way to ask without setting it
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)
