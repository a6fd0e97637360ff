"""Molecule files: read anybody's, write ours.

Reading turns every record into a `Record`; one that cannot be read becomes a record without
a molecule and with the reason.  Only a problem of the request (a missing file, an unknown
suffix) is an `InputError`.  Writing is atomic: the target appears complete or not at all.
"""

from __future__ import annotations

from moldiff.io.identifier import identifier
from moldiff.io.read import (
    READABLE,
    Chunk,
    Record,
    molecule_stem,
    no_molecules,
    read_chunks,
    read_molecules,
)
from moldiff.io.sources import Recorded, Source, is_molecule_file, record_of, records_of, write
from moldiff.io.write import WRITABLE, Writer

__all__ = [
    "READABLE",
    "WRITABLE",
    "Chunk",
    "Record",
    "Recorded",
    "Source",
    "Writer",
    "identifier",
    "is_molecule_file",
    "molecule_stem",
    "no_molecules",
    "read_chunks",
    "read_molecules",
    "record_of",
    "records_of",
    "write",
]
