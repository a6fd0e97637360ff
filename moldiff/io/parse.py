"""The text formats, one parser each: lines -> blocks, and each block -> parsed records.

A block, as a rule one record, is parsed without the others: other processes can do that.
A parser never raises for bad content: it yields a record with the reason and goes on with
the next one (for SDF from the next ``$$$$``, for XYZ from the next atom count).  A reason
begins with its kind, "wrong atom count: 4 announced, 3 found", so that reasons can be counted;
what it quotes of the file is ASCII, so that no control code reaches a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.tripos import sybyl
from moldiff.io.parse_json import parse_json
from moldiff.io.parsed import SYMBOLS, Parsed, assemble

__all__ = ["PARSERS", "Parsed", "Parser", "split_smiles"]

_MAX_LINES = 1_000_000
_COUNTS = re.compile(r" V[23]000\s*$")
_MAX_DIGITS = 9  # int() refuses thousands of digits with an exception

Block = list[str]


@dataclass(frozen=True)
class Parser:
    """How a format is read."""

    split: Callable[[Iterator[str]], Iterator[Block]]
    """Divides the lines of a file into blocks."""
    parse: Callable[[Block], Iterator[Parsed]]
    """Parses a block."""


def _checked(mol: Chem.Mol | None, name: str, reason: str, tags: Mapping[str, str]) -> Parsed:
    """Refuse what RDKit refused (``reason``), and atoms that are no element."""
    if mol is None:
        return Parsed(None, name, reason, tags)
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0:
            return Parsed(None, name, f"unknown element: {_quoted(atom)}", tags)
    return Parsed(mol, name, None, tags)


def _quoted(atom: Chem.Atom) -> str:
    return f"atom {atom.GetIdx() + 1}, {atom.GetSymbol()[:10]!a}"


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
    yield _checked(mol, name, _sdf_problem(block[:end]) if mol is None else "", tags)
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
        told = f"{atoms} atoms and {bonds} bonds announced, {len(body)} lines found"
        return f"incomplete record: {told}"
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
    yield _checked(mol, name, "RDKit cannot parse the MOL2 block", {})


# --- XYZ -------------------------------------------------------------------------------------


def _xyz_blocks(lines: Iterator[str]) -> Iterator[Block]:
    """A frame is a count, a comment, and the atom lines up to the next count or blank line.

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


def _xyz(block: Block) -> Iterator[Parsed]:
    count = block[0].strip()
    if _is_number(count):
        yield _xyz_frame(int(count), block[1].strip(), block[2:])
    else:
        yield Parsed(None, "", f"not XYZ: {count[:40]!a} is no atom count")


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= _MAX_DIGITS


def _xyz_frame(count: int, comment: str, lines: Sequence[str]) -> Parsed:
    if len(lines) != count:
        return Parsed(None, comment, f"wrong atom count: {count} announced, {len(lines)} found")
    elements, positions = [], []
    for k, line in enumerate(lines):
        words = line.split()
        symbol = words[0].capitalize()
        number = int(symbol) if _is_number(symbol) else SYMBOLS.get(symbol, 0)
        if not 1 <= number <= 118:
            return Parsed(None, comment, f"unknown element: atom {k + 1}, {words[0][:10]!a}")
        try:
            x, y, z = (float(word) for word in words[1:4])
        except ValueError:
            return Parsed(None, comment, f"bad coordinates: atom {k + 1} has no three")
        elements.append(number)
        positions.append((x, y, z))
    return Parsed(assemble(elements, positions), comment)


# --- SMILES ----------------------------------------------------------------------------------


def _smi_blocks(lines: Iterator[str]) -> Iterator[Block]:
    for number, line in enumerate(lines):
        words = line.split(None, 1)
        header = number == 0 and bool(words) and words[0].lower() == "smiles"
        if words and not words[0].startswith("#") and not header:
            yield [line]


def _smi(block: Block) -> Iterator[Parsed]:
    smiles, name = split_smiles(block[0])
    mol, reason = _from_smiles(smiles), f"not SMILES: {smiles[:40]!a}"
    yield _checked(mol, name, reason, {})


def split_smiles(line: str) -> tuple[str, str]:
    """Return the SMILES of a line, with its CXSMILES extension if it has one, and the name."""
    smiles, _, rest = line.strip().replace("\t", " ").partition(" ")
    rest = rest.strip()
    if rest.startswith("|") and "|" in rest[1:]:
        end = rest.index("|", 1) + 1
        return f"{smiles} {rest[:end]}", rest[end:].strip()
    return smiles, rest


def _from_smiles(smiles: str) -> Chem.Mol | None:
    """A SMILES implies its hydrogens: they become atoms where the string is a valid molecule."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        if mol is None:
            return None
        complete = Chem.Mol(mol)
        try:
            Chem.SanitizeMol(complete)
        except (ValueError, RuntimeError):
            return mol
        return Chem.AddHs(complete)


#: Suffix -> parser.
PARSERS: dict[str, Parser] = {
    ".sdf": Parser(_sdf_blocks, _sdf),
    ".sd": Parser(_sdf_blocks, _sdf),
    ".mol": Parser(_sdf_blocks, _sdf),
    ".mol2": Parser(_mol2_blocks, _mol2),
    ".xyz": Parser(_xyz_blocks, _xyz),
    ".smi": Parser(_smi_blocks, _smi),
    ".ism": Parser(_smi_blocks, _smi),
    ".smiles": Parser(_smi_blocks, _smi),
    ".cxsmiles": Parser(_smi_blocks, _smi),
    ".json": Parser(lambda lines: iter([list(lines)]), parse_json),  # read as a whole
}
