"""The text formats, one parser each: lines -> blocks, and each block -> parsed records.

A block, as a rule one record, is parsed without the others: other processes can do that.
A parser never raises for bad content: it yields a record with the reason and goes on with
the next one (for SDF from the next ``$$$$``, for XYZ from the next atom count).  A reason
begins with its kind, "wrong atom count: 4 announced, 3 found", so that reasons can be counted;
what it quotes of the file is ASCII, so that no control code reaches a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.tripos import sybyl
from moldiff.io.parse_json import parse_json
from moldiff.io.parse_smiles import (
    SMILES_SUFFIXES,
    parse_smiles,
    smiles_blocks,
    table_blocks,
)
from moldiff.io.parse_xyz import parse_xyz, xyz_blocks
from moldiff.io.parsed import Parsed, checked

__all__ = ["PARSERS", "Parsed", "Parser"]

_MAX_LINES = 1_000_000
_COUNTS = re.compile(r" V[23]000\s*$")

Block = list[str]


@dataclass(frozen=True)
class Parser:
    """How a format is read."""

    split: Callable[[Iterator[str]], Iterator[Block]]
    """Divides the lines of a file into blocks."""
    parse: Callable[[Block], Iterator[Parsed]]
    """Parses a block."""


# --- SDF and MOL -----------------------------------------------------------------------------


def _sdf_blocks(lines: Iterator[str]) -> Iterator[Block]:
    block: Block = []
    for line in lines:
        if line.startswith("$$$$"):
            yield block
            block = []
        elif len(block) <= _MAX_LINES:  # beyond that it is no record: keep memory bounded
            block.append(line)
    if any(line.strip() for line in block):
        yield block


def _sdf(block: Block) -> Iterator[Parsed]:
    ends = [k for k, line in enumerate(block) if line.startswith("M  END")]
    end = ends[0] + 1 if ends else len(block)
    name = block[0].strip() if block else ""
    tags = _sdf_tags(block[end:])
    text = "\n".join(block[:end]) + "\n"
    try:
        with quiet():
            mol = Chem.MolFromMolBlock(text, sanitize=False, removeHs=False, strictParsing=False)
    except (ValueError, RuntimeError):
        mol = None
    yield checked(mol, name, _sdf_problem(block[:end]) if mol is None else "", tags)
    for last in ends[1:]:
        if not _in_field(block, last):
            yield Parsed(None, "", "a record without its $$$$ line hides in the one before")


def _in_field(block: Sequence[str], last: int) -> bool:
    """Whether the mol block that ends on a line is the value of a data field."""
    counts = next((k for k in range(last, 3, -1) if _COUNTS.search(block[k])), 0)
    return counts > 3 and block[counts - 4].startswith(">")


def _sdf_tags(lines: Sequence[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    key: str | None = None
    whole = 0  # lines up to here are a mol block, which has blank lines of its own
    for k, line in enumerate(lines):
        if k < whole and key is not None:
            tags[key] = f"{tags[key]}\n{line}"
        elif line.startswith(">") and "<" in line:
            ends = (n for n in range(k + 1, len(lines)) if lines[n].startswith("M  END"))
            if _COUNTS.search("".join(lines[k + 4 : k + 5])):
                whole = next(ends, k) + 1
            key = line[line.index("<") + 1 : line.rindex(">")]
            tags[key] = ""
        elif not line.strip():
            key = None
        elif key is not None:
            tags[key] = f"{tags[key]}\n{line}" if tags[key] else line
    return tags


def _sdf_problem(block: Sequence[str]) -> str:
    """Name what a human would see first in a block RDKit refuses."""
    if len(block) < 4:
        return "not an SDF record: fewer than 4 lines"
    if "V3000" in block[3]:
        return "RDKit cannot parse the V3000 block"
    try:
        atoms = int(block[3][:3])
        bonds = int(block[3][3:6])
    except ValueError:
        return "not an SDF record: line 4 is no counts line"
    body = [line for line in block[4:] if not line.startswith("M  ")]
    if len(body) < atoms + bonds:
        counts = f"{atoms} atoms and {bonds} bonds announced, {len(body)} lines found"
        return f"incomplete record: {counts}"
    if any(word in line.lower() for line in body[:atoms] for word in ("nan", "inf")):
        return "non-finite coordinates"
    return "RDKit cannot parse the atom or bond lines"


# --- MOL2 ------------------------------------------------------------------------------------


def _mol2_blocks(lines: Iterator[str]) -> Iterator[Block]:
    block: Block = []
    for line in lines:
        if line.startswith("@<TRIPOS>MOLECULE") and block:
            yield block
            block = []
        if len(block) <= _MAX_LINES:
            block.append(line)
    yield block


def _mol2(block: Block) -> Iterator[Parsed]:
    if not any(line.strip() and not line.startswith("#") for line in block):
        return
    name = block[1].strip() if len(block) > 1 else ""
    try:
        with quiet():
            text = "\n".join(sybyl(block)) + "\n"
            mol = Chem.MolFromMol2Block(text, sanitize=False, removeHs=False)
    except (ValueError, RuntimeError):
        mol = None
    yield checked(mol, name, "RDKit cannot parse the MOL2 block", {})


_SMILES = Parser(smiles_blocks, parse_smiles)
_TABLE = Parser(table_blocks, parse_smiles)

#: Suffix -> parser.
PARSERS: dict[str, Parser] = {
    ".sdf": Parser(_sdf_blocks, _sdf),
    ".sd": Parser(_sdf_blocks, _sdf),
    ".mol": Parser(_sdf_blocks, _sdf),
    ".mol2": Parser(_mol2_blocks, _mol2),
    ".xyz": Parser(xyz_blocks, parse_xyz),
    **dict.fromkeys(SMILES_SUFFIXES, _SMILES),
    **dict.fromkeys((".csv", ".tsv", ".tab"), _TABLE),
    ".json": Parser(lambda lines: iter([list(lines)]), parse_json),  # read as a whole
}
