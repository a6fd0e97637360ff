"""SMILES, one on each line or in a column of a table (``.csv``).

A table has a first line with the names of its columns, one of them "smiles"; it may have a column
of names ("name", "id", ...), and all others are data fields.  Columns are parted by commas,
semicolons or tabulators.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.errors import InputError
from moldiff.io.parsed import Parsed, checked

__all__ = ["parse_smiles", "parse_table", "smiles_blocks", "table_blocks"]

_SMILES_COLUMNS = ("smiles", "canonical_smiles", "structure", "smi")
_NAME_COLUMNS = ("name", "id", "title", "compound", "molecule", "compound_id", "molecule_id")
_MOST_LINES = 1000  # of a row: beyond that a quotation mark has lost its partner

Block = list[str]


def smiles_blocks(lines: Iterator[str]) -> Iterator[Block]:
    """Yield the lines with a SMILES."""
    for number, line in enumerate(lines):
        words = line.split(None, 1)
        header = number == 0 and bool(words) and words[0].lower() == "smiles"
        if words and not words[0].startswith("#") and not header:
            yield [line]


def parse_smiles(block: Block) -> Iterator[Parsed]:
    """Parse a line: a SMILES, and the name behind it."""
    smiles, *name = block[0].split(None, 1)
    yield checked(_molecule(smiles), "".join(name).strip(), f"not SMILES: {smiles[:40]!a}")


def table_blocks(lines: Iterator[str]) -> Iterator[Block]:
    """Yield each row of a table behind the line with the columns.

    Raises
    ------
    InputError
        If no column is of SMILES.
    """
    header = next((line for line in lines if line.strip()), None)
    if header is None:
        return
    names = _columns(header)
    if not any(name.lower() in _SMILES_COLUMNS for name in names):
        raise InputError(
            f"The table has no column 'smiles'; its columns are: {', '.join(names)[:200]}.",
            fix="Name the column with the SMILES 'smiles' in the first line.",
        )
    row: Block = []
    for line in lines:
        row.append(line)
        if sum(part.count('"') for part in row) % 2 and len(row) < _MOST_LINES:
            continue  # a quoted value goes on in the next line
        if any(part.strip() for part in row):
            yield [header, *row]
        row = []
    if any(part.strip() for part in row):
        yield [header, *row]


def parse_table(block: Block) -> Iterator[Parsed]:
    """Parse a row behind its columns."""
    names = _columns(block[0])
    row = (f"{line}\n" for line in block[1:])  # a quoted value keeps its lines
    values = next(csv.reader(row, delimiter=_separator(block[0])), [])
    found = dict(zip(names, (value.strip() for value in values), strict=False))
    lower = {name.lower(): name for name in reversed(names)}
    smiles = found.pop(next(lower[c] for c in _SMILES_COLUMNS if c in lower), "")
    title = next((found.pop(lower[c], "") for c in _NAME_COLUMNS if c in lower), "")
    reason = f"not SMILES: {smiles[:40]!a}" if smiles else "no SMILES in this row"
    yield checked(_molecule(smiles) if smiles else None, title, reason, found)


def _separator(header: str) -> str:
    return max(",;\t", key=header.count)


def _columns(header: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([header], delimiter=_separator(header)), [])]


def _molecule(smiles: str) -> Chem.Mol | None:
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
