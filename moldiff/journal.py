"""An append-only file of JSON lines that survives crashes.

A line is appended in one write and synced before it counts, so ``kill -9`` or a power cut loses at
most the work in progress: a torn line has no newline, and the next reading drops it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from moldiff.errors import InputError

__all__ = ["Journal", "unwritable"]


class Journal:
    """The file, open and locked; see `Journal.open`."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self._file = path, file

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Journal]:
        """Open (or create) and lock the file for the length of a ``with`` block.

        Raises
        ------
        InputError
            If it cannot be written, or is in use by another process.
        """
        with ExitStack() as stack:
            try:
                file = stack.enter_context(open(path, "a+b"))
            except OSError as error:
                raise unwritable(path, error) from error
            _lock(file, path)
            yield cls(path, file)

    def append(self, content: Mapping[str, Any]) -> int:
        """Append plain values durably; return the place of their line."""
        line = json.dumps(content, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        place = self._file.seek(0, os.SEEK_END)
        try:
            # Not through the file's buffer: what does not fit would be written when it is closed.
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:  # a full disk: half a line would corrupt the next one
            os.truncate(self.path, place)
            raise unwritable(self.path, error) from error
        return place

    def line(self, place: int) -> bytes:
        """Return the bytes from a place to the end of the line or of the file."""
        self._file.seek(place)
        return self._file.readline()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines with their places; drop a torn last one."""
        self._file.flush()
        place = 0
        while line := self.line(place):
            if not line.endswith(b"\n"):
                self._file.truncate(place)
                return
            yield place, line
            place += len(line)


def unwritable(path: Path, error: OSError) -> InputError:
    """Return the error for a file that cannot be written."""
    return InputError(
        f"'{path}' cannot be written: {error.strerror or error}.",
        fix="Choose a folder that exists, is writable and has space left.",
    )


def _lock(file: IO[bytes], path: Path) -> None:
    """Lock out a second process; the system releases the lock however this one ends."""
    try:
        import fcntl
    except ImportError:  # Windows: the user must avoid two runs on one file
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"Another process is working on '{path}'.",
            fix="Wait for it, or give another --output.",
        ) from error
    except OSError:  # a file system without locks
        return
