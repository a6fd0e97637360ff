"""Open a molecule file of any known format and walk through its records."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rdkit import Chem

from moldiff.errors import InputError, did_you_mean
from moldiff.io.parse import PARSERS, Parsed
from moldiff.io.parsed import stated_charge, without_dummies

__all__ = [
    "READABLE",
    "Chunk",
    "Record",
    "molecule_stem",
    "no_molecules",
    "read_chunks",
    "read_molecules",
]

#: Suffixes that can be read; each also with ``.gz`` behind it.
READABLE = tuple(PARSERS)

_STRUCTURES = (".pdb", ".ent", ".pdbqt", ".cif", ".mmcif")
_WINDOWS = "moldiff.windows"
_LINE_LIMIT = 1 << 20
_CHARACTERS = 1 << 24  # of a chunk, unless a single record is longer


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
    cells:
        All columns of a table's row as written, with those of the SMILES and the name; else empty.
    """

    mol: Chem.Mol | None
    name: str
    reason: str | None
    source: str
    index: int
    tags: dict[str, str] = field(default_factory=dict)
    cells: dict[str, str] = field(default_factory=dict)

    @property
    def charge(self) -> int | None:
        """The total charge that a tag states; None without one."""
        return stated_charge(self.tags)

    @property
    def bondless(self) -> bool:
        """Whether the molecule's format has no bonds (XYZ)."""
        suffixes = [suffix.lower() for suffix in Path(self.source).suffixes[-2:]]
        return self.mol is not None and ".xyz" in suffixes and not self.mol.GetNumBonds()

    def with_bonds(self, charge: int | None = 0) -> Record:
        """Return the record with bonds inferred where its format has none.

        ``charge`` is that of the whole molecule (None: any), unless the record states its own.
        """
        if not self.bondless:
            return self
        bonded = Parsed(self.mol, tags=self.tags).with_bonds(charge)
        return replace(self, mol=bonded.mol, reason=bonded.reason)


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a molecule file, not parsed yet.

    Attributes
    ----------
    suffix:
        Format, a key of `moldiff.io.parse.PARSERS`.
    blocks:
        Text of each record.
    size:
        Bytes of the file read since the last chunk, to tell how far the reading is.
    damage:
        Why the file cannot be read beyond this chunk; None if it can.
    """

    suffix: str
    blocks: tuple[str, ...]
    size: int
    damage: str | None = None

    def parse(self, *, dummies: bool = False) -> Iterator[Parsed]:
        """Parse the records; the damage counts as one.

        Dummy atoms (attachment points) are refused, as no element, unless ``dummies`` may be.
        """
        parser = PARSERS[self.suffix]
        for block in self.blocks:
            for parsed in parser.parse(block.split("\n")):
                yield parsed if dummies else without_dummies(parsed)
        if self.damage is not None:
            yield Parsed(None, "", self.damage)


def read_chunks(path: str | Path, records: int = 1) -> Iterator[Chunk]:
    """Read what `read_molecules` reads in chunks, which any process can parse.

    Where a chunk ends depends on the file and on ``records`` alone.

    Parameters
    ----------
    records:
        The most records of a chunk; chunks of long records hold fewer.

    Raises
    ------
    InputError
        At once for a missing, unreadable or unknown kind of file.
    """
    path = Path(path)
    suffix, gzipped = _check(path)
    return _chunks(path, suffix, gzipped, records)


def read_molecules(path: str | Path, *, dummies: bool = False) -> Iterator[Record]:
    """Read the records of a file of one of the kinds in `READABLE`.

    Any of them may be gzipped (``.sdf.gz``).  SDF is read without sanitising and with its
    hydrogens; XYZ (one or many frames) gives atoms and coordinates without bonds, which
    `Record.with_bonds` infers; SMILES gives molecules without coordinates, with the hydrogens the
    string implies as atoms; a table (``.csv``, ``.tsv``) has a column "smiles", and the other
    columns are its data fields.  Text is UTF-8, UTF-16 or of the Windows code page.  Records with
    dummy atoms (attachment points) have no molecule unless ``dummies`` may be.

    Raises
    ------
    InputError
        At once for a missing, unreadable or unknown kind of file; at the beginning of a table
        without SMILES; at the end for a file without a single record.
    """
    return _records(Path(path), read_chunks(path), dummies)


def _check(path: Path) -> tuple[str, bool]:
    """Return the format of a file, and whether it is gzipped."""
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
    return suffix, gzipped


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
        if path.is_dir():
            raise InputError(f"{path} is a directory.", fix="Name the files in it.")
        fix = did_you_mean(suffix, READABLE)
        if suffix in _STRUCTURES:
            fix = "Its format has no bond orders: give molecules as .sdf, .mol2, .smi or .csv."
        raise InputError(f"{path} has the unknown suffix '{suffix}'.", fix=fix)
    return suffix


def _records(path: Path, chunks: Iterator[Chunk], dummies: bool) -> Iterator[Record]:
    index = 0
    for chunk in chunks:
        for parsed in chunk.parse(dummies=dummies):
            tags, cells = dict(parsed.tags), dict(parsed.cells)
            yield Record(parsed.mol, parsed.name, parsed.reason, str(path), index, tags, cells)
            index += 1
    if index == 0:
        raise no_molecules(path)


def no_molecules(path: Path) -> InputError:
    """Return the error for a file without a single record."""
    return InputError(f"{path} holds no molecules.", fix="Check how the file was written.")


def _chunks(path: Path, suffix: str, gzipped: bool, records: int) -> Iterator[Chunk]:
    blocks: list[str] = []
    characters = place = 0
    try:
        with path.open("rb") as raw:
            try:
                for block in PARSERS[suffix].split(_lines(raw, gzipped)):
                    blocks.append("\n".join(block))
                    characters += len(blocks[-1])
                    if len(blocks) >= records or characters >= _CHARACTERS:
                        size = raw.tell() - place
                        yield Chunk(suffix, tuple(blocks), size)
                        blocks, characters, place = [], 0, place + size
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                # What was read before the damage is good; the damage itself is one broken record.
                damage = f"damaged gzip file: {error}"
                yield Chunk(suffix, tuple(blocks), raw.tell() - place, damage)
                return
            if blocks:
                yield Chunk(suffix, tuple(blocks), raw.tell() - place)
    except OSError as error:
        raise _unreadable(path, error) from error
    except InputError as error:  # a parser knows no files
        raise InputError(f"{path} cannot be read: {error.what}", fix=error.fix) from None


def _lines(raw: io.BufferedReader, gzipped: bool) -> Iterator[str]:
    """Lines without their ends, whatever the newlines, and without NUL, which is no text."""
    binary = gzip.GzipFile(fileobj=raw) if gzipped else raw
    if gzipped:
        first = binary.peek(2)[:2]
    else:  # past the buffer, whose filling sets how finely reading is told
        first = raw.raw.read(2)
        raw.raw.seek(0, io.SEEK_SET)
    wide = first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding, errors = ("utf-16", "replace") if wide else ("utf-8-sig", _WINDOWS)
    text = io.TextIOWrapper(binary, encoding=encoding, errors=errors, newline=None)
    try:
        while line := text.readline(_LINE_LIMIT):
            yield line.rstrip("\n").replace("\0", "")
    finally:
        if not raw.closed:
            text.detach()  # otherwise it would close the file, whose place is asked for


def _windows(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that are not UTF-8 as the Windows code page."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_WINDOWS, _windows)


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be read: {error.strerror or error}.", fix="Check the file's permissions."
    )
