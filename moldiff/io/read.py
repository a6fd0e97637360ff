"""Open a molecule file of any known format and walk through its records."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rdkit import Chem

from moldiff.errors import InputError, did_you_mean
from moldiff.io.parse import PARSERS

__all__ = ["READABLE", "Record", "molecule_stem", "read_molecules"]

#: Suffixes that can be read; each also with ``.gz`` behind it.
READABLE = tuple(PARSERS)

_LINE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Record:
    """One record of a molecule file.

    Attributes
    ----------
    mol:
        The molecule, unsanitised, hydrogens kept; None if the record cannot be read.
    name:
        The record's title line or identifier; may be empty.
    reason:
        Why there is no molecule; None if there is one.
    source:
        Path of the file as it was given.
    index:
        Position in the file, from 0, broken records counted.
    tags:
        The data fields of the record.
    """

    mol: Chem.Mol | None
    name: str
    reason: str | None
    source: str
    index: int
    tags: dict[str, str] = field(default_factory=dict)


def read_molecules(path: str | Path) -> Iterator[Record]:
    """Read the records of a ``.sdf``, ``.mol``, ``.mol2``, ``.xyz``, ``.smi`` or ``.json`` file.

    Any of them may be gzipped (``.sdf.gz``).  SDF is read without sanitising and with its
    hydrogens; XYZ (one or many frames) gives atoms and coordinates without bonds; SMILES
    gives molecules without coordinates, with the hydrogens the string implies as atoms.

    Raises
    ------
    InputError
        At once for a missing, unreadable or unknown kind of file; at the end for a file
        without a single record.
    """
    path = Path(path)
    suffix = _suffix(path)
    if not path.exists():
        raise InputError(f"There is no file {path}.", fix="Check the path.")
    if not path.is_file():
        raise InputError(f"{path} is not a file.", fix="Give the path of a molecule file.")
    try:
        with path.open("rb") as stream:
            gzipped = stream.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise _unreadable(path, error) from error
    if path.suffix.lower() == ".gz" and not gzipped:
        raise InputError(
            f"{path} is not a gzip file.", fix="Remove .gz from its name if it is plain text."
        )
    return _records(path, suffix, gzipped)


def molecule_stem(path: str | Path) -> str:
    """The name of a molecule file without its format: ``my.1.sdf.gz -> my.1``."""
    name = Path(path).name
    for suffixes in ((".gz",), READABLE):
        kept, dot, last = name.rpartition(".")
        if kept and (dot + last).lower() in suffixes:
            name = kept
    return name


def _suffix(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in PARSERS:
        raise InputError(
            f"{path} has the unknown suffix '{suffix}'.", fix=did_you_mean(suffix, READABLE)
        )
    return suffix


def _records(path: Path, suffix: str, gzipped: bool) -> Iterator[Record]:
    index = 0
    try:
        for parsed in PARSERS[suffix](_lines(path, gzipped)):
            yield Record(
                parsed.mol, parsed.name, parsed.reason, str(path), index, dict(parsed.tags)
            )
            index += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        # What was read before the damage is good; the damage itself is one broken record.
        yield Record(None, "", f"damaged gzip file: {error}", str(path), index)
        return
    except OSError as error:
        raise _unreadable(path, error) from error
    if index == 0:
        raise InputError(f"{path} holds no molecules.", fix="Check how the file was written.")


def _lines(path: Path, gzipped: bool) -> Iterator[str]:
    """Lines without their ends, whatever the newlines; bytes that are no text are replaced."""
    with path.open("rb") as raw:
        binary = gzip.GzipFile(fileobj=raw) if gzipped else raw
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline=None)
        while line := text.readline(_LINE_LIMIT):
            yield line.rstrip("\n")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be read: {error.strerror or error}.", fix="Check the file's permissions."
    )
