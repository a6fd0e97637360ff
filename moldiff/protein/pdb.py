"""The PDB format: fixed columns, read all at once (wwPDB format 3.3, and what strays from it)."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.assembly import Assembly, from_remarks
from moldiff.protein.columns import aligned, names_and_chains, wide_chains
from moldiff.protein.elements import NUMBERS, guess_element
from moldiff.protein.records import Missing, Records
from moldiff.protein.residues import AMINO_ACIDS, NUCLEOTIDES

__all__ = ["MISSING", "parse_pdb"]

_WIDTH = 80
_FEW, _SHARE = 5, 0.05  # damaged lines: so many, and such a share of all, are too many to go on
MISSING = re.compile(
    rb"^REMARK 465 +(?:\d+ +)?([A-Z0-9]{1,3}) (.) +(-?\d+)([A-Za-z]?)\s*$", re.MULTILINE
)


def parse_pdb(
    content: bytes, *, elements: bool = True, where: str = "the file"
) -> tuple[Records, tuple[Missing, ...], tuple[Assembly, ...], list[str]]:
    """Read the atoms of a PDB file.

    Parameters
    ----------
    content:
        The file; any line ending, lines of any length.
    elements:
        Whether columns 77-78 hold elements (in PDBQT files they hold atom types).
    where:
        Name of the file, for the error.

    Returns
    -------
    records, missing, assemblies, notes:
        The atoms of all models, the residues of REMARK 465, the assemblies of REMARK 350, and
        what was odd.

    Raises
    ------
    InputError
        More than one atom line in twenty is damaged.
    """
    given, model = _atom_lines(content)
    lines = [aligned(line) for line in given]
    moved = [line for line, mended in zip(given, lines, strict=True) if line is not mended]
    table = _table(lines)
    positions = np.stack([_floats(_column(table, k, k + 8)) for k in (30, 38, 46)], axis=1)
    chain, digits, wide = wide_chains(_text(table, 21, 22), _column(table, 22, 26))
    number, insertion = _numbers(digits, _text(table, 26, 27))
    good = np.isfinite(positions).all(axis=1) & (np.abs(positions) < 1e5).all(axis=1)
    good &= number != _UNREADABLE
    notes = [_shown(moved, "atom lines with moved columns read")] if moved else []
    if not good.all():
        damaged = [line for line, fine in zip(given, good.tolist(), strict=True) if not fine]
        notes.append(_shown(damaged, "damaged atom lines left out"))
        if len(damaged) > _FEW and len(damaged) > _SHARE * len(given):
            raise InputError(
                f"{where} is damaged: {notes[-1]} of {len(given)}.",
                fix="Check that the columns follow the PDB format, or download the entry again.",
            )
    table, positions, number = table[good], positions[good], number[good]
    occupancy = _floats(_column(table, 54, 60))
    residue, chain, chain_notes = names_and_chains(
        _text(table, 17, 20), _text(table, 20, 21), chain[good]
    )
    notes += wide + chain_notes
    chain = _segments(table, chain, notes)
    records = Records(
        model=model[good],
        hetero=_text(table, 0, 6) == "HETATM",
        names=_text(table, 12, 16),
        altloc=_text(table, 16, 17),
        residue=residue,
        chain=chain,
        number=number,
        insertion=insertion[good],
        positions=positions.astype(np.float32),
        occupancy=np.where(np.isfinite(occupancy), occupancy, 1.0).astype(np.float32),
        numbers=_elements(table, residue, elements=elements),
        unit=chain,
    )
    head = _head(content)
    return records, _missing(head), from_remarks(head), notes


def _shown(lines: list[bytes], what: str) -> str:
    """A note on lines: how many, and the first."""
    first = lines[0].decode("ascii", "replace").strip()
    return f"{len(lines)} {what}, the first: {first[:54]!r}"


def _segments(
    table: npt.NDArray[np.uint8], chain: npt.NDArray[np.str_], notes: list[str]
) -> npt.NDArray[np.str_]:
    """The segments of columns 73-76 in place of blank chains, where there are several."""
    segment = _text(table, 72, 76)
    names = np.unique(segment[segment != ""])
    if (chain != "").any() or len(names) < 2 or (segment == "").any():
        return chain
    notes.append(f"chains are blank, segments stand for them: {', '.join(names[:8].tolist())}")
    return segment


def _numbers(
    column: npt.NDArray[np.bytes_], insertion: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.str_]]:
    """Residue numbers and insertion codes; a digit in place of a code belongs to the number."""
    number = _residue_numbers(column)
    long = np.array([code.isdigit() for code in insertion.tolist()], dtype=bool)
    long &= number != _UNREADABLE
    digits = np.where(long, insertion, "0").astype(np.int32)
    return np.where(long, number * 10 + digits, number), np.where(long, "", insertion)


def _atom_lines(content: bytes) -> tuple[list[bytes], npt.NDArray[np.int32]]:
    """Return the atom lines and the model, counted from 1, of each."""
    lines: list[bytes] = []
    model: list[int] = []
    current, used = 1, False
    for row in content.splitlines():
        line = row.lstrip(b" \t")
        if line.startswith((b"ATOM", b"HETATM")):
            lines.append(line)
            model.append(current)
            used = True
        elif used and line.startswith((b"MODEL ", b"ENDMDL")):
            current, used = current + 1, False
    return lines, np.array(model, dtype=np.int32)


def _table(lines: list[bytes]) -> npt.NDArray[np.uint8]:
    """The characters as an array (m, 80), padded with blanks, nothing but printable ASCII."""
    table = np.array(lines, dtype=f"S{_WIDTH}").view(np.uint8).reshape(len(lines), _WIDTH).copy()
    table[(table < 32) | (table > 126)] = 32
    names = table[:, 12:16]
    names[names == ord("*")] = ord("'")  # C5* was C5' before 2007
    return table


def _column(table: npt.NDArray[np.uint8], start: int, stop: int) -> npt.NDArray[np.bytes_]:
    """The characters start..stop of each line as byte strings (m,)."""
    part = np.ascontiguousarray(table[:, start:stop])
    return part.view(f"S{stop - start}").ravel()


def _text(table: npt.NDArray[np.uint8], start: int, stop: int) -> npt.NDArray[np.str_]:
    """The same as stripped text."""
    return np.char.strip(_column(table, start, stop).astype(str))


def _floats(column: npt.NDArray[np.bytes_]) -> npt.NDArray[np.float64]:
    """Numbers; nan where there is none."""
    try:
        return column.astype(np.float64)
    except ValueError:
        return np.array([_float(value) for value in column.tolist()], dtype=np.float64)


def _float(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")


_UNREADABLE = np.iinfo(np.int32).min


def _residue_numbers(column: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int32]:
    """Residue numbers, decimal or hybrid-36; 0 where the column is blank."""
    try:
        return column.astype(np.int32)
    except ValueError:
        return np.array([_residue_number(value) for value in column.tolist()], dtype=np.int32)


def _residue_number(value: bytes) -> int:
    """One residue number.

    Hybrid-36 (Grosse-Kunstleve et al.): after 9999 follow A000 ... ZZZZ, then a000 ... zzzz.
    """
    text = value.strip()
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        pass
    if len(text) != 4 or not text.isalnum() or not text[:1].isalpha():
        return int(_UNREADABLE)
    if text.isupper():
        return int(text, 36) - 10 * 36**3 + 10_000
    return int(text, 36) + 16 * 36**3 + 10_000 if text.islower() else int(_UNREADABLE)


def _elements(
    table: npt.NDArray[np.uint8], residue: npt.NDArray[np.str_], *, elements: bool
) -> npt.NDArray[np.int16]:
    """Atomic numbers from columns 77-78, or from the names where these say nothing."""
    symbols = np.char.upper(_text(table, 76, 78))
    if not elements:
        symbols = np.zeros_like(symbols)
    known, inverse = np.unique(symbols, return_inverse=True)
    numbers = np.array([NUMBERS.get(str(symbol), 0) for symbol in known], dtype=np.int16)[inverse]
    names = _column(table, 12, 16).astype(str)
    guesses: dict[tuple[str, str], int] = {}
    for i in np.flatnonzero(numbers == 0):
        key = (str(names[i]).ljust(4), str(residue[i]))
        if key not in guesses:
            polymer = key[1] in AMINO_ACIDS or key[1] in NUCLEOTIDES
            guesses[key] = NUMBERS.get(guess_element(*key, polymer=polymer), 0)
        numbers[i] = guesses[key]
    return numbers


def _head(content: bytes) -> bytes:
    """The lines before the atoms."""
    end = re.search(rb"^(ATOM|HETATM)", content, re.M)
    return content[: end.start() if end else None].replace(b"\r", b"")


def _missing(head: bytes) -> tuple[Missing, ...]:
    """The residues of REMARK 465."""
    rows = MISSING.findall(head)
    return tuple(
        Missing(chain.decode("latin-1").strip(), int(number), insertion.decode(), name.decode())
        for name, chain, number, insertion in dict.fromkeys(rows)
    )
