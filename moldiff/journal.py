"""A file of JSON lines that only grows, safe against any way to die.

A line is appended in one write and synced before it counts, so ``kill -9`` or a power cut costs at
most what was being worked on: a line torn by it has no newline, and is dropped when the file is
read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from moldiff.errors import InputError

__all__ = ["Journal", "unwritable"]


class Journal:
    """The file, open and locked; a context.

    Parameters
    ----------
    path:
        The file; made if it is not there.

    Raises
    ------
    InputError
        If it cannot be written, or is in use by another process.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Journal:
        try:
            self._file = open(self.path, "a+b")
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            _lock(self._file, self.path)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def _open(self) -> IO[bytes]:
        assert self._file is not None, "a journal is used as a context"
        return self._file

    def append(self, content: Mapping[str, Any]) -> int:
        """Keep plain values for good; return the place of their line."""
        line = json.dumps(content, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        place = self._open.seek(0, os.SEEK_END)
        try:
            self._open.write(line)
            self._open.flush()
            os.fsync(self._open.fileno())
        except OSError as error:  # a full disk: half a line would spoil the next one
            os.truncate(self.path, place)
            raise unwritable(self.path, error) from error
        return place

    def line(self, place: int) -> bytes:
        """Return what stands at a place, up to the end of the line or of the file."""
        self._open.seek(place)
        return self._open.readline()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines with their places; drop a torn last one."""
        self._open.flush()
        place = 0
        while line := self.line(place):
            if not line.endswith(b"\n"):
                self._open.truncate(place)
                return
            yield place, line
            place += len(line)


def unwritable(path: Path, error: OSError) -> InputError:
    """The error about a file that the system does not let us write."""
    return InputError(
        f"'{path}' cannot be written: {error.strerror or error}.",
        fix="Choose a folder that exists, is writable and has space left.",
    )


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep a second process away; the system lets go of it however this one ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs on one file are the user's to avoid
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
