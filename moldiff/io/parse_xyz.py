"""XYZ: a count, a comment, that many atoms; and what programs make of it.

QM9's own files have a number after the coordinates, exponents as in ``-1.66*^-6``, and frequencies,
SMILES and InChI after the atoms; extended XYZ (of ASE) names its columns (``Properties=``) and
other values as ``key=value`` in the comment; Fortran writes ``1.0D-05``.  A total charge in the
comment (``charge=1``) is read, as a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from moldiff.io.parsed import SYMBOLS, Parsed, assemble

__all__ = ["parse_xyz", "xyz_blocks"]

_MAX_DIGITS = 9  # int() refuses thousands of digits with an exception
_LABEL = re.compile(r"(\d{0,3})([A-Za-z]{1,3})[-_]?\d{0,6}")  # an element, 2H or 13C, C12
_HYDROGEN = {"D": 2, "T": 3}  # mass numbers
_EXPONENT = re.compile(r"([+-]?[\d.]+)(?:[dD]|\*\^)([+-]?\d+)")
_CHARGE = re.compile(
    r"\b(?:total[ _]?)?charge[\"']?\s*[=:]\s*[\"']?([+-]?\d{1,3})(?:\.0*)?(?![\w.])", re.IGNORECASE
)
# A word such as OCC=O is no pair but a SMILES: keys of words are in small letters.
_PAIR = re.compile(
    r"(?<!\S)(?:([A-Za-z_][\w.-]*)=(\"(?:[^\"\\]|\\.)*\"|[+-]?\.?\d[\d.eE+-]*)"
    r"|([a-z_]{2,}|SMILES)=([^\s\"{\[]\S*))(?!\S)"
)
_PROPERTIES = re.compile(r"\bproperties=\"?((?:\w+:[A-Z]:\d+:?)+)", re.IGNORECASE)

Layout = tuple[int, int]
"""Columns of the element, and of x."""

# Where no comment says: element first; coordinates first; a serial number first.
_LAYOUTS: tuple[Layout, ...] = ((0, 1), (3, 0), (1, 2))


def xyz_blocks(lines: Iterator[str]) -> Iterator[list[str]]:
    """Yield frames: a count, a comment, and all lines up to the next count or blank line.

    Of what is no frame, the first line is a block of its own.
    """
    pending: str | None = next(lines, None)
    while pending is not None:
        if not pending.strip():
            pending = next(lines, None)
            continue
        if not _is_number(pending.strip()):
            yield [pending]
            while pending is not None and not _is_number(pending.strip()):
                pending = next(lines, None)
            continue
        block = [pending, next(lines, "")]
        pending = next(lines, None)
        while pending is not None and pending.strip() and not _is_number(pending.strip()):
            block.append(pending)
            pending = next(lines, None)
        yield block


def parse_xyz(block: list[str]) -> Iterator[Parsed]:
    """Parse one frame; see `moldiff.io.parse`."""
    count = block[0].strip()
    if _is_number(count):
        yield _frame(int(count), block[1].strip(), block[2:])
    else:
        yield Parsed(None, "", f"not XYZ: {count[:40]!a} is no atom count")


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= _MAX_DIGITS


def _frame(count: int, comment: str, lines: Sequence[str]) -> Parsed:
    name, tags = _comment(comment)
    layout = _layout(comment, lines)
    if isinstance(layout, str):
        return Parsed(None, name, layout, tags)
    rest = sum(not isinstance(_atom(line, layout), str) for line in lines[count:])
    number = min(count, len(lines)) + rest
    if number != count:
        lacking = "; line 2 must be a comment" if _is_atom(comment) else ""
        reason = f"wrong atom count: {count} announced, {number} found{lacking}"
        return Parsed(None, name, reason, tags)
    elements, isotopes, positions = [], [], []
    for k, line in enumerate(lines[:count]):
        atom = _atom(line, layout)
        if isinstance(atom, str):
            return Parsed(None, name, atom.replace("atom", f"atom {k + 1}", 1), tags)
        element, isotope, position = atom
        elements.append(element)
        isotopes.append(isotope)
        positions.append(position)
    return Parsed(assemble(elements, positions, isotopes=isotopes), name, None, tags)


def _layout(comment: str, lines: Sequence[str]) -> Layout | str:
    """The columns that the comment names; else those that fit the first atom."""
    match = _PROPERTIES.search(comment)
    if match is None:
        fits = (t for t in _LAYOUTS if lines and not isinstance(_atom(lines[0], t), str))
        return next(fits, _LAYOUTS[0])
    columns, start = dict[str, int](), 0
    words = match[1].strip(":").split(":")
    for key, width in zip(words[::3], words[2::3], strict=False):
        columns[key.lower()] = start
        start += int(width[:_MAX_DIGITS])
    element = columns.get("species", columns.get("z"))
    if element is None or "pos" not in columns:
        return "no XYZ layout: Properties= names no columns 'species' and 'pos'"
    return element, columns["pos"]


def _is_atom(line: str) -> bool:
    return any(not isinstance(_atom(line, layout), str) for layout in _LAYOUTS)


def _atom(line: str, layout: Layout) -> tuple[int, int, tuple[float, ...]] | str:
    """Atomic number, mass number (0: natural) and position of a line, or the reason why not."""
    words, (element, x) = line.split(), layout
    label = words[element] if len(words) > element else ""
    number, isotope = _element(label)
    if not 1 <= number <= 118:
        return f"unknown element: atom, {label[:10]!a}"
    try:
        position = tuple(float(_EXPONENT.sub(r"\1e\2", word)) for word in words[x : x + 3])
    except ValueError:
        position = ()
    return (
        (number, isotope, position) if len(position) == 3 else "bad coordinates: atom has no three"
    )


def _element(label: str) -> tuple[int, int]:
    """Atomic and mass number of "C", "c1", "6", "D" or "13C"; 0 for an unknown one."""
    if _is_number(label):
        return int(label), 0
    match = _LABEL.fullmatch(label)
    if match is None:
        return 0, 0
    mass, symbol = match[1], match[2].capitalize()
    if symbol in _HYDROGEN:
        return 1, _HYDROGEN[symbol]
    return SYMBOLS.get(symbol, 0), int(mass or 0)


def _comment(text: str) -> tuple[str, dict[str, str]]:
    """The name of a frame, which comes before any ``key=value``, and these as tags."""
    pairs = list(_PAIR.finditer(text))
    items = ((match[1] or match[3], match[2] or match[4]) for match in pairs)
    tags = {key: _plain(value) for key, value in items if key.lower() != "properties"}
    if charge := _CHARGE.search(text):
        tags["charge"] = str(int(charge[1]))
    name = text[: pairs[0].start()] if pairs else text
    return _PROPERTIES.split(name)[0].strip(), tags


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
