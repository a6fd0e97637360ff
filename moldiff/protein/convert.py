"""Structure files in the other format, by Biopython."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from moldiff.errors import InputError
from moldiff.protein.columns import aligned

__all__ = ["converted"]


def converted(content: bytes, kind: str, path: Path) -> bytes:
    """Return a structure file in the other of the formats, atoms only.

    Parameters
    ----------
    content, kind:
        The file, "pdb" or "cif".
    path:
        Its name, for messages.

    Raises
    ------
    InputError
        If the other format has no place for it.
    """
    from Bio.PDB import MMCIFIO, PDBIO, MMCIFParser, PDBParser
    from Bio.PDB.PDBExceptions import PDBConstructionException, PDBIOException

    if kind == "pdb":
        content = b"\n".join(
            aligned(line) if line.startswith((b"ATOM", b"HETATM")) else line
            for line in content.splitlines()
        )
    stream, out = io.StringIO(content.decode("utf-8", "replace")), io.StringIO()
    parser, writer = (PDBParser, MMCIFIO) if kind == "pdb" else (MMCIFParser, PDBIO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            written = writer()
            written.set_structure(parser(QUIET=True).get_structure(path.stem, stream))
            written.save(out)
    except (PDBConstructionException, PDBIOException, ValueError, TypeError) as error:
        other = "mmCIF" if kind == "pdb" else "PDB"
        raise InputError(
            f"{path} cannot be written in the format {other}: {error}.",
            fix=f"Give the output the suffix .{kind}, as the structure has.",
        ) from error
    return out.getvalue().encode()
