"""Write molecules without ever leaving half a file behind.

Records go to a temporary file next to the target, which is renamed at the end.  After every
record the temporary file is a complete document, so an interrupted `Writer` keeps all that
was finished.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from rdkit import Chem

from moldiff.errors import InputError, did_you_mean
from moldiff.io.render import FORMATS

__all__ = ["WRITABLE", "Writer"]

#: Suffixes that can be written.
WRITABLE = tuple(f".{name}" for name in FORMATS)


class Writer:
    """Append molecules to a file that appears under its name when the block ends.

    >>> with Writer("out.sdf") as writer:  # doctest: +SKIP
    ...     writer.write(mol, {"seed": 1})

    Leaving the block by an exception (Ctrl-C, a full disk) keeps the complete records:
    the file is renamed to its target if it holds at least one, and removed otherwise.

    Parameters
    ----------
    path:
        The target; an existing file is replaced only at the end.
    fmt:
        "sdf", "smi", "xyz" or "json"; by default what the suffix says.

    Raises
    ------
    InputError
        For an unknown format, a target that is no regular file, a missing or read-only
        folder, or a full disk.
    """

    def __init__(self, path: str | Path, fmt: str | None = None) -> None:
        self.path = Path(path)
        self.count = 0
        self._format = FORMATS[_format_name(self.path, fmt)]
        # A link is followed: what it points at is replaced, not the link.
        self._target = Path(os.path.realpath(self.path))
        if self._target.exists() and not self._target.is_file():
            raise InputError(
                f"{self.path} is not a regular file.", fix="Give the name of a file to write."
            )
        self._part = self._target.with_name(f".{self._target.name}.{os.getpid()}.part")
        self._stream: FileIO | None = None
        self._complete = 0

    def __enter__(self) -> Writer:
        try:
            self._stream = FileIO(self._part, "w")
            self._append(self._format.header)
        except OSError as error:
            self.discard()
            raise self._failure(error) from error
        return self

    def write(self, mol: Chem.Mol, tags: Mapping[str, Any] | None = None, name: str = "") -> None:
        """Append one molecule, sanitised or not; it is never changed.

        ``tags`` become data fields (SDF, JSON) or part of the comment (XYZ); ``name``
        defaults to the molecule's own.
        """
        title = name or (mol.GetProp("_Name") if mol.HasProp("_Name") else "")
        fields = {str(key): str(value) for key, value in (tags or {}).items()}
        self.copy(self._format.render(mol, " ".join(title.split()), fields))

    def copy(self, text: str) -> None:
        """Append one record that is text of the format already."""
        try:
            self._append((self._format.separator if self.count else "") + text)
        except OSError as error:
            raise self._failure(error) from error
        self.count += 1

    def close(self) -> None:
        """Rename the temporary file to its target."""
        if self._stream is None:
            return
        try:
            self._stream.seek(self._complete)
            self._write_all(self._format.footer.encode())
            self._stream.truncate()
            os.fsync(self._stream.fileno())
            self._stream.close()
            os.replace(self._part, self._target)
        except OSError as error:
            self.discard()
            raise self._failure(error) from error
        self._stream = None

    def discard(self) -> None:
        """Remove the temporary file; the target stays as it was."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self._part.unlink(missing_ok=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or self.count > 0:
            self.close()
        else:
            self.discard()

    def _append(self, text: str) -> None:
        assert self._stream is not None, "a Writer is used inside its with block"
        body = text.encode()
        self._stream.seek(self._complete)
        self._write_all(body + self._format.footer.encode())
        self._complete += len(body)

    def _write_all(self, data: bytes) -> None:
        # Unbuffered on purpose: a full disk shows here, with the record that met it.
        assert self._stream is not None
        view = memoryview(data)
        while view:
            view = view[self._stream.write(view) :]

    def _failure(self, error: OSError) -> InputError:
        kept = f" {self.count} molecules were written before." if self.count else ""
        if self.count == 1:
            kept = " 1 molecule was written before."
        long = error.errno == errno.ENAMETOOLONG
        return InputError(
            f"{self.path} cannot be written: {error.strerror or error}.{kept}",
            fix="Give a shorter name."
            if long
            else "Check that the folder exists, is writable and has space left.",
        )


def _format_name(path: Path, fmt: str | None) -> str:
    name = (fmt or path.suffix).lower().lstrip(".")
    if name not in FORMATS:
        raise InputError(f"{path}: unknown format '{name}'.", fix=did_you_mean(name, FORMATS))
    return name
