"""The atoms of a structure file as columns, before anything is decided about them.

mmCIF is taken apart by Biopython.  PDB files are read column by column here: Biopython's parser
gives up at the first damaged line, at hybrid-36 residue numbers, and at the first CONECT record,
while here every atom line stands for itself and what cannot be read is counted and reported.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError

__all__ = ["Missing", "Records", "read_bytes", "sniff"]

_HOW = "Give a PDB or mmCIF file (.pdb, .ent, .cif, .mmcif, also .gz)."

# What a file is that is no structure: (what its beginning matches, what it is).
_STRANGERS = (
    (rb"(?i)\s*<(!doctype\s+html|html|head)", "an HTML page, perhaps the error page of a download"),
    (rb"\s*<\?xml", "an XML file"),
    (rb"\s*[{\[]", "a JSON file"),
    (rb"(?s).{0,400}@<TRIPOS>", "a MOL2 file of a small molecule"),
    (rb"(?s)([^\n]*\n){3}[^\n]*V[23]000", "an SDF or MOL file of a small molecule"),
    (rb"(?s)\x83.{0,40}\xa7|.{0,60}encoder", "a binary mmCIF file"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"%PDF", "a PDF document"),
)


@dataclass(frozen=True)
class Missing:
    """A residue the depositors say is in the crystal but not in the coordinates."""

    chain: str
    number: int
    insertion: str
    name: str


@dataclass(frozen=True, eq=False)
class Records:
    """m atom records as they stand in the file.

    ``numbers`` are atomic numbers (0: unknown; hydrogens are still there), ``model`` counts the
    models from 1, ``positions`` are in Å; blank chains, alternate locations and insertion codes
    are empty strings.  ``unit`` is the chain as the file's table of assemblies calls it.
    """

    model: npt.NDArray[np.int32]
    hetero: npt.NDArray[np.bool_]
    names: npt.NDArray[np.str_]
    altloc: npt.NDArray[np.str_]
    residue: npt.NDArray[np.str_]
    chain: npt.NDArray[np.str_]
    number: npt.NDArray[np.int32]
    insertion: npt.NDArray[np.str_]
    positions: npt.NDArray[np.float32]
    occupancy: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.int16]
    unit: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.model)

    def take(self, index: npt.NDArray[np.generic]) -> Records:
        """Return the rows of a mask or of indices."""
        return Records(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @staticmethod
    def joined(parts: Sequence[Records]) -> Records:
        """Return the rows of several, at least one."""
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Records)
        }
        return Records(**columns)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, unpacked if it is gzipped; raise InputError otherwise."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The structure file {path} does not exist.", fix=_HOW) from None
    except IsADirectoryError:
        raise InputError(f"The structure file {path} is a folder.", fix=_HOW) from None
    except OSError as error:
        raise InputError(f"The structure file {path} cannot be read: {error}.", fix=_HOW) from None
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(content, path)
    if not content.strip():
        raise InputError(f"The structure file {path} is empty.", fix=_HOW)
    content = _utf8(content)
    return content if b"\n" in content else content.replace(b"\r", b"\n")


def _utf8(content: bytes) -> bytes:
    """The content without the mark of its encoding, and in UTF-8 if that is UTF-16."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", "replace").encode()
    return content.removeprefix(codecs.BOM_UTF8)


def _unpacked(content: bytes, path: Path) -> bytes:
    """Gunzip; of a truncated archive as much as is there is not enough to trust."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"The structure file {path} is a damaged gzip archive: {error}.",
            fix="Download it again, or check it with: gzip -t FILE",
        ) from None


def sniff(content: bytes, path: Path) -> str:
    """Return "cif" or "pdb" by what the file contains; InputError says what else it is."""
    if re.search(rb"^_atom_site\.", content, re.M):
        return "cif"
    if re.search(rb"^[ \t]*(ATOM|HETATM)", content, re.M):
        return "pdb"
    if content.lstrip().startswith(b"data_"):
        raise InputError(
            f"The mmCIF file {path} has no _atom_site table, so there are no coordinates in it.",
            fix="Give the coordinate file of the entry, not structure factors or a component.",
        )
    for pattern, what in _STRANGERS:
        if re.match(pattern, content[:2000]):
            raise InputError(f"The structure file {path} is {what}, not a structure.", fix=_HOW)
    raise InputError(f"The structure file {path} contains no atoms.", fix=_HOW)
