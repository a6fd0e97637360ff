"""Atom lines whose columns are not where the PDB format has them, and names too long for them.

Serial numbers above 99,999 push the rest of a line to the right, residue numbers above 9,999 reach
into the next column, chains of two letters and residues of four share a column, and some programs
put blanks between the fields and no columns at all.
"""

from __future__ import annotations

import re
from textwrap import wrap

import numpy as np
import numpy.typing as npt

from moldiff.protein.elements import NUMBERS
from moldiff.protein.residues import ADDITIVES, AMINO_ACIDS, FOUR_LETTERS, NUCLEOTIDES, WATERS

__all__ = ["aligned", "names_and_chains", "remarks", "wide_chains"]

_DOTS = (34, 42, 50)  # the decimal points of the coordinates
_FIELDS = re.compile(
    r"^(?P<record>ATOM|HETATM)\s*(?P<serial>\d+|\*+|[0-9A-Za-z]{5})\s+(?P<name>\S{1,4}?)"
    r"(?:\s+|(?<=\S{4}))(?P<residue>[A-Za-z0-9+-]{1,4})\s+(?:(?P<chain>[A-Za-z0-9]{1,2}?)\s*)?"
    r"(?P<number>-?\d{1,5})(?P<insertion>[A-Za-z]?)\s+(?P<x>-?\d+\.\d+)\s*(?P<y>-?\d+\.\d+)\s*"
    r"(?P<z>-?\d+\.\d+)(?P<rest>.*)$"
)
_KNOWN = AMINO_ACIDS | NUCLEOTIDES | WATERS | ADDITIVES


def aligned(line: bytes) -> bytes:
    """Return an atom line with its columns in place, as far as they can be told."""
    if all(line[dot : dot + 1] == b"." for dot in _DOTS):
        return line
    for shift in (1, 2, 3):
        if not all(line[dot + shift : dot + shift + 1] == b"." for dot in _DOTS):
            continue
        if re.fullmatch(rb"\s*\d+", line[6 : 11 + shift]):  # the serial number is too long
            return line[:6] + line[6 + shift :]
        if shift == 1 and line[22:27].strip().isdigit():  # the residue number is
            return line[:27] + line[28:]
    match = None if _readable(line) else _FIELDS.match(line.decode("latin-1"))
    return line if match is None else _written(match)


def _readable(line: bytes) -> bool:
    """Whether the columns hold coordinates, if with other decimals."""
    try:
        return all(np.isfinite(float(line[k : k + 8])) for k in (30, 38, 46))
    except ValueError:
        return False


def _written(match: re.Match[str]) -> bytes:
    """The fields of a line between blanks, in columns."""
    name = match["name"]
    label = name if len(name) == 4 else f" {name:<3}"
    residue, chain, altloc = match["residue"], match["chain"] or " ", " "
    if len(residue) == 4 and residue not in FOUR_LETTERS and residue[1:] in _KNOWN:
        altloc, residue = residue[0], residue[1:]
    place = f"{residue:>3} {chain}" if len(chain) == 1 else f"{residue:>3}{chain}"
    if len(residue) == 4:
        place = f"{residue}{chain[0]}"
    number = match["number"]
    end = number[4:] or match["insertion"] or " "
    words = match["rest"].split()
    element = next((w for w in reversed(words) if w.upper() in NUMBERS), "")
    occupancy = next((w for w in words if re.fullmatch(r"\d\.\d+", w)), "1.00")
    x = "".join(f"{float(match[axis]):8.3f}" for axis in "xyz")
    head = f"{match['record']:<6}    0 {label}{altloc}{place}{number[:4]:>4}{end}   "
    return f"{head}{x}{occupancy[:6]:>6}{'':10}{element:>2}".encode("latin-1")


def names_and_chains(
    residue: npt.NDArray[np.str_], between: npt.NDArray[np.str_], chain: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_], list[str]]:
    """Tell residues of four letters from chains of two.

    Parameters
    ----------
    residue, between, chain:
        (m,) columns 18-20, column 21, and column 22 of the atoms, stripped.

    Returns
    -------
    residue, chain, notes:
        (m,) each, and what had to be guessed.
    """
    used = np.flatnonzero(between != "")
    if not len(used):
        return residue, chain, []
    residue, chain = residue.astype("<U4"), chain.astype("<U2")
    keys = list(
        zip(residue[used].tolist(), between[used].tolist(), chain[used].tolist(), strict=True)
    )
    sure = {b + c for r, b, c in set(keys) if r + b not in FOUR_LETTERS and r in _KNOWN}
    notes, guessed = [], {}
    for row, (name, letter, own) in zip(used.tolist(), keys, strict=True):
        both = letter + own
        four = name + letter in FOUR_LETTERS or name not in _KNOWN
        if four and both not in sure:  # HISA of chain B, or HIS of chain AB: the others tell
            residue[row] = name + letter
            if name + letter not in FOUR_LETTERS:
                guessed[f"{name + letter} of chain {own or '(blank)'}"] = f"{name} of chain {both}"
        else:
            chain[row] = both
    if sure:
        notes.append(f"chains of two letters (columns 21-22): {', '.join(sorted(sure)[:8])}")
    if guessed:
        examples = ", ".join(f"{a}, not {b}" for a, b in list(guessed.items())[:4])
        notes.append(f"ambiguous columns 18-22, read as a residue of four letters: {examples}")
    return residue, chain, notes


def wide_chains(
    chain: npt.NDArray[np.str_], number: npt.NDArray[np.bytes_]
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bytes_], list[str]]:
    """Tell chains of two letters in columns 22-23 from hybrid-36 numbers, which follow 9999.

    Parameters
    ----------
    chain, number:
        (m,) column 22, stripped, and columns 23-26 of the atoms.
    """
    words = [word.decode("latin-1").strip() for word in number.tolist()]
    letters = np.array(
        [bool(re.fullmatch(r"[A-Za-z] *\d{1,3}", word)) for word in words], dtype=bool
    )
    plain = [int(word) for word in words if word.isdigit()]
    if not letters.any() or max(plain, default=0) > 9000:
        return chain, number, []
    chain, number = chain.astype("<U2"), number.copy()
    for row in np.flatnonzero(letters).tolist():
        chain[row] = f"{chain[row]}{words[row][0]}"
        number[row] = words[row][1:].encode()
    chains = sorted(set(chain[letters].tolist()))
    return chain, number, [f"chains of two letters (columns 22-23): {', '.join(chains[:8])}"]


def remarks(text: str) -> str:
    """Return a text as remarks of a PDB file, in as many lines of 80 columns as it needs."""
    return "".join(f"REMARK 999 {line}\n"[:81] for line in wrap(text, 69, break_on_hyphens=False))
