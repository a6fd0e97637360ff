"""Text files, written completely or not at all, plurals, and numbers and residues in texts."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from moldiff.errors import InputError

__all__ = [
    "counted",
    "csv_text",
    "digest_of",
    "ends",
    "means_residue",
    "number_of",
    "numbers_of",
    "plural",
    "ranges",
    "replace_text",
    "replacing",
    "replacing_bytes",
    "rising",
    "several",
    "share",
]

# At most 18 digits, so that a whole number fits 64 bits.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][+-]\d+)?", re.ASCII)


def replace_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary file beside ``path`` and rename it over ``path``.

    Raises ``InputError`` if ``path`` cannot be written; an older file then survives.
    """
    with replacing(path) as stream:
        stream.write(text)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Give a temporary text file that takes the place of ``path`` when the block ends well.

    Errors as :func:`replace_text`.
    """
    # xmlcharrefreplace: the name of a file that is not UTF-8 has lone surrogates in Python
    with (
        replacing_bytes(path) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", errors="xmlcharrefreplace") as text,
    ):
        yield text


@contextmanager
def replacing_bytes(path: Path) -> Iterator[BinaryIO]:
    """Give a temporary file that takes the place of ``path`` when the block ends well.

    Errors as :func:`replace_text`.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        share(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"Cannot write '{path}': {error.strerror or error}.",
            fix="Choose a directory that exists, is writable and has space left.",
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows with the same keys as CSV, with a line of the keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plural(noun: str) -> str:
    """Return the plural of an English noun: molecules, complexes, processes."""
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """Return a count: ``1 molecule``, ``2 molecules``, ``2 complexes``."""
    return f"{number} {noun if number == 1 else plural(noun)}"


def ranges(numbers: Iterable[int]) -> str:
    """Return rising whole numbers as text: ``1-14, 16``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def ends(text: str) -> tuple[str, ...]:
    """Return both ends of a range, ``3..10`` or ``3-10``, as text; of anything else the text."""
    # A minus behind a digit is a dash: 1e-5 and -3 are numbers.
    match = re.fullmatch(r"\s*(\S+?)\s*(?:\.\.|(?<=[\d\s])-)\s*(\S+)\s*", text)
    return match.groups() if match else (text,)


def number_of(text: str) -> int | float | None:
    """Read a finite number as programs write it, blanks around it or not; None if it is none.

    What looks like a number and may be a name is none: ``0001234``, ``1E5``, ``1_0``, ``１２``.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    number = float(match[0]) if match[2] or match[3] else int(match[0])
    return number if math.isfinite(number) else None


def means_residue(text: str, chain: str, name: str, number: str) -> bool:
    """Whether a text means a residue: ``A:611``, ``ARG611``, ``A:ARG611``, or ``611``.

    Without a chain it is the residue of any.  Chains are as they are written, the name and the
    number with its code of insertion in either case.
    """
    own, _, rest = text.rpartition(":")
    return own in ("", chain) and rest.upper() in (number.upper(), f"{name}{number}".upper())


def numbers_of(text: str) -> list[int] | None:
    """Read numbers and ranges of them, ``1-14, 16`` or ``1..14, 16``; None if it is none.

    A range that ends below its beginning has no numbers; see `rising`.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"\d{1,6}(\s*(-|\.\.)\s*\d{1,6})?", word) for word in words):
        return None
    numbers: list[int] = []
    for word in words:
        low, *high = ends(word)
        numbers += range(int(low), int(high[0] if high else low) + 1)
    return numbers


def several(values: str | Sequence[str]) -> tuple[str, ...]:
    """Return values given as a list, or as one text with commas: ``"A:401,HOH"``.

    A text is a sequence of its letters, which nobody means who gives one where a list is asked for.
    """
    if not isinstance(values, str):
        return tuple(values)
    return tuple(word for part in values.split(",") if (word := part.strip()))


def rising(text: str, dash: str = "-") -> list[int] | None:
    """Return what `numbers_of` does; ``InputError`` for a range that ends below its beginning.

    ``dash`` is how the option's help writes a range: ``1-6,9`` for a list, ``3..10`` for one range.
    """
    for low, high in (
        re.findall(r"(\d+)\s*(?:-|\.\.)\s*(\d+)", text) if numbers_of(text) is not None else ()
    ):
        if int(high) < int(low):
            raise InputError(
                f"The range {low}{dash}{high} ends below its beginning.",
                fix=f"Write {high}{dash}{low}.",
            )
    return numbers_of(text)


def digest_of(path: str | Path) -> str:
    """Return twelve characters of the SHA-256 of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def share(path: str | Path, mode: int = 0o666) -> None:
    """Give a private temporary file the permissions of any new file."""
    mask = os.umask(0)  # it cannot be read without setting it
    os.umask(mask)
    os.chmod(path, mode & ~mask)
