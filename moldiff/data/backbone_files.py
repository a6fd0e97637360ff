"""Files of protein backbones: ProMod3's database, archives of chains, and structures.

``structure_db.dat`` is the database of chains without gaps of ProMod3 (Studer et al., PLoS Comput.
Biol. 17 (2021) e1008667), which Debian's package ``promod3-data`` installs.  An ``.npz`` of such
chains has the arrays ``id`` (N,), ``offset`` (N + 1,), and, residue by residue,
``xyz_centi_angstrom`` (R, 4, 3), ``seq`` and ``dssp``; and optionally ``cath`` (N,), their codes in
the classification CATH.  Of a structure, as PDB or mmCIF, each run of bonded residues of a chain is
a chain; those with the sequence of an earlier one are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
import numpy.typing as npt

from moldiff.data.backbones import UNIT
from moldiff.errors import InputError
from moldiff.protein.backbone import LETTERS, UNKNOWN, Backbone
from moldiff.protein.read import read_contents
from moldiff.protein.secondary import COIL, secondary
from moldiff.protein.trace import trace

__all__ = ["Chain", "read_chains"]

_REGULAR = frozenset("HGIE")  # codes of DSSP
_MAGIC, _HEADER = (1234, 2), 0x4D
_DATABASE, _ARCHIVE = ".dat", ".npz"

_CODES = np.full(256, UNKNOWN, np.int8)
_CODES[list(LETTERS.encode())] = np.arange(len(LETTERS))


@dataclass(frozen=True, eq=False)
class Chain:
    """A named chain, and its codes in CATH if they are known."""

    name: str
    backbone: Backbone
    cath: str = ""


class _Fault(ValueError):
    """What is wrong with a file, in words for users."""


def read_chains(path: Path, limit: int | None = None) -> tuple[int, Iterator[Chain]]:
    """Return the number of chains of a file, at most ``limit``, and the chains.

    Raises
    ------
    InputError
        If it is missing or has another format.
    """
    if not path.is_file():
        raise InputError(
            f"There is no file '{path}'.",
            fix="Debian's promod3-data has one: /usr/share/promod3/loop_data/structure_db.dat.",
        )
    if not (path.suffix in (_DATABASE, _ARCHIVE) or _is_database(path)):
        read = _structure(path)[:limit]
        return len(read), iter(read)
    try:
        count, chains = _archive(path) if path.suffix == _ARCHIVE else _database(path)
    except (OSError, ValueError, TypeError, IndexError, struct.error, BadZipFile) as error:
        # The words of the libraries that read it would say nothing to a user.
        reason = error if isinstance(error, _Fault) else "it is cut off, or of another format"
        raise InputError(
            f"'{path}' is not a file of protein backbones: {reason}.",
            fix="Give ProMod3's structure_db.dat, an .npz, or structures: moldiff data backbones "
            "--help.",
        ) from error
    count = min(count, limit or count)
    return count, (next(chains) for _ in range(count))


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == struct.pack("<II", *_MAGIC)


def _structure(path: Path) -> list[Chain]:
    """Read the runs of bonded residues of a PDB or mmCIF file, named by file, chain and residue.

    Files of the same name are told apart by their folders.
    """
    structure = read_contents(path).structure
    read = trace(structure)
    atoms = read.completed()
    chains: list[Chain] = []
    seen: set[bytes] = set()
    for name, runs in read.fragments.items():
        for run in runs:
            types = read.types[run].astype(np.int8)
            if types.tobytes() not in seen:
                seen.add(types.tobytes())
                first = structure.residues[run[0]]
                label = f"{path.parent.name}/{path.stem}_{name}_{first.number}{first.insertion}"
                whole = bool(np.isfinite(atoms[run]).all())  # other runs cannot be used
                regular = secondary(atoms[run]) != COIL if whole else np.zeros(len(run), bool)
                chains.append(Chain(label, Backbone(atoms[run], types, regular)))
    return chains


def _archive(path: Path) -> tuple[int, Iterator[Chain]]:
    """Read an ``.npz`` of chains."""
    if not is_zipfile(path):
        raise _Fault("it is no .npz archive")
    with np.load(path, allow_pickle=False) as file:
        wanted = ("id", "offset", "xyz_centi_angstrom", "seq", "dssp")
        if lacking := [name for name in wanted if name not in file.files]:
            raise _Fault(f"it lacks the array {', '.join(lacking)}")
        names, offset, atoms = file["id"], file["offset"], file["xyz_centi_angstrom"]
        letters, dssp = (_letters(file[key]) for key in ("seq", "dssp"))
        cath = file["cath"] if "cath" in file.files else np.full(len(names), "")
    if not offset[-1] == len(atoms) == len(letters) == len(dssp):
        raise _Fault("its arrays have different lengths")

    def chains() -> Iterator[Chain]:
        for k, (name, code) in enumerate(zip(names.tolist(), cath.tolist(), strict=True)):
            part = slice(offset[k], offset[k + 1])
            yield Chain(name, _backbone(atoms[part], letters[part], dssp[part]), code)

    return len(names), chains()


def _letters(array: np.ndarray) -> npt.NDArray[np.uint8]:
    """Return letters, one by one or as one string, as their codes."""
    text = str(array) if array.ndim == 0 else "".join(array.tolist())
    return np.frombuffer(text.encode("ascii", "replace"), np.uint8)


def _database(path: Path) -> tuple[int, Iterator[Chain]]:
    """Read ProMod3's database.

    It begins with a header of 77 bytes and the number of chains (uint64); of each chain: PDB code
    and chain name (uint32 length, text), offset (uint32), size and first number (uint16), and a
    shift (3 float32).  Sections follow, each after its number of residues (uint64): one letter
    codes, coordinates (12 uint16, hundredths of an Å), dihedrals (2 int16), accessibility and
    depth (uint16), and DSSP's letters.
    """
    data = np.memmap(path, np.uint8, "r")
    buffer = data.data
    if struct.unpack_from("<II", buffer) != _MAGIC:
        raise _Fault("it does not begin as ProMod3's structure_db.dat does")
    (count,) = struct.unpack_from("<Q", buffer, _HEADER)
    at = _HEADER + 8
    table: list[tuple[str, int, int]] = []
    for _ in range(count):
        name = []
        for _ in range(2):
            (size,) = struct.unpack_from("<I", buffer, at)
            name.append(bytes(buffer[at + 4 : at + 4 + size]).decode("ascii"))
            at += 4 + size
        offset, length = struct.unpack_from("<IH", buffer, at)
        at += 20
        table.append(("_".join(name), offset, length))
    sections = []
    for width in (1, 24, 4, 2, 2, 1):
        (residues,) = struct.unpack_from("<Q", buffer, at)
        sections.append(data[at + 8 : at + 8 + residues * width].reshape(residues, width))
        at += 8 + residues * width
    letters, atoms, _, _, _, dssp = sections

    def chains() -> Iterator[Chain]:
        for name, offset, length in table:
            part = slice(offset, offset + length)
            xyz = np.ascontiguousarray(atoms[part]).view("<u2").reshape(-1, 4, 3)
            yield Chain(name, _backbone(xyz, letters[part, 0], dssp[part, 0]))

    return count, chains()


def _backbone(
    atoms: npt.NDArray[np.integer], letters: npt.NDArray[np.uint8], dssp: npt.NDArray[np.uint8]
) -> Backbone:
    regular = np.isin(dssp, [ord(code) for code in _REGULAR])
    return Backbone(np.float32(UNIT) * atoms.astype(np.float32), _CODES[letters], regular)
