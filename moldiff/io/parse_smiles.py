"""SMILES, one on each line or in a column of a table.

A table (``.csv``, ``.tsv``, ``.tab``) has a first line with the names of its columns, one of them
"smiles"; it may have a column of names ("name", "id", ...), and all others are data fields.
Columns are parted by commas, semicolons, tabulators or else blanks.  Other files (``.smi``) may
have such a line; without it the name is what comes behind the SMILES and its CXSMILES extension.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.errors import InputError
from moldiff.io.identifier import name_field, plain_word
from moldiff.io.parsed import Parsed, checked

__all__ = ["SMILES_SUFFIXES", "parse_smiles", "smiles_blocks", "table_blocks"]

#: Suffixes of files with a SMILES on each line.
SMILES_SUFFIXES = (".smi", ".ism", ".smiles", ".cxsmiles", ".can", ".txt")

_SMILES_COLUMNS = (
    *("smiles", "isomeric_smiles", "canonical_smiles", "cxsmiles", "structure", "smi"),
    *("smiles_string", "rdkit_smiles", "openeye_smiles", "smile"),
)
_MOST_LINES = 1000  # of a row: beyond that a quotation mark has lost its partner

Block = list[str]


def smiles_blocks(lines: Iterator[str]) -> Iterator[Block]:
    """Yield the lines with a SMILES, each behind the line with the columns if there is one."""
    header: str | None = None
    first = True
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if first and _is_header(line):
            if not _is_plain(line):
                header = line
        else:
            yield [line] if header is None else [header, line]
        first = False


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
    if _smiles_column(_cells([header], header)) is None:
        names = ", ".join(_cells([header], header))
        raise InputError(
            f"The table has no column 'smiles'; its columns are: {names[:200]}.",
            fix="Name the column with the SMILES 'smiles' in the first line.",
        )
    row: Block = []
    for line in lines:
        row.append(line)
        if _is_open(row, _separator(header)) and len(row) < _MOST_LINES:
            continue  # a quoted value goes on in the next line
        if any(part.strip() for part in row):
            yield [header, *row]
        row = []
    if any(part.strip() for part in row):
        yield [header, *row]


def parse_smiles(block: Block) -> Iterator[Parsed]:
    """Parse a line with a SMILES and a name, or a row behind its columns."""
    if len(block) > 1:
        yield _row(block[0], block[1:])
        return
    smiles, name = _split(block[0])
    yield checked(_molecule(smiles), name, f"not SMILES: {smiles[:40]!a}")


def _row(header: str, lines: Sequence[str]) -> Parsed:
    """The molecule of a row; columns that are not its SMILES or name are tags."""
    names = _cells([header], header)
    column = _smiles_column(names)
    assert column is not None  # or there were no blocks
    try:
        values = _cells(lines, header)
    except csv.Error as error:
        return Parsed(None, "", f"not a row of a table: {error}")
    cells = {name: value for name, value in zip(names, values, strict=False) if name}
    smiles = values[column] if column < len(values) else ""
    tags = {name: value for name, value in cells.items() if name != names[column]}
    field = name_field(tags)
    title = "" if field is None else tags.pop(field)
    reason = f"not SMILES: {smiles[:40]!a}" if smiles else "no SMILES in this row"
    return replace(checked(_molecule(smiles), title, reason, tags), cells=cells)


def _separator(header: str) -> str | None:
    """What parts the columns; None is blanks."""
    separator = max(",;\t", key=header.count)
    return separator if separator in header else None


def _cells(lines: Sequence[str], header: str) -> list[str]:
    """The values of a row; a quoted value keeps its lines."""
    separator = _separator(header)
    if separator is not None:
        row = next(csv.reader((f"{line}\n" for line in lines), delimiter=separator), [])
        return [value.strip() for value in row]
    smiles, rest = _split(" ".join(lines))
    return [smiles, *rest.split(None, max(0, len(header.split()) - 2))]


def _smiles_column(names: Sequence[str]) -> int | None:
    words = [plain_word(name) for name in names]
    return next((words.index(name) for name in _SMILES_COLUMNS if name in words), None)


def _is_header(line: str) -> bool:
    """Whether a line of a file of SMILES names columns: a molecule may be called "structure"."""
    names = _cells([line], line)
    if _smiles_column(names) is None:
        return False
    with quiet():
        return not names[0] or Chem.MolFromSmiles(names[0]) is None


def _is_plain(header: str) -> bool:
    """Whether the rows behind it are what they are without it: the SMILES, and a name."""
    names = _cells([header], header)
    fields = dict.fromkeys(names[1:], "x")
    blank = _separator(header) in (None, "\t")
    return (
        blank
        and _smiles_column(names) == 0
        and len(names) < 3
        and set(fields) == {*filter(None, [name_field(fields)])}
    )


def _is_open(lines: Sequence[str], separator: str | None) -> bool:
    """Whether a value that began with a quotation mark has no end yet."""
    starts = ('"', f'{separator}"')
    quoted = lines[0].startswith(starts[0]) or starts[1] in lines[0]
    return separator is not None and quoted and sum(line.count('"') for line in lines) % 2 == 1


def _split(line: str) -> tuple[str, str]:
    """The SMILES of a line, with its CXSMILES extension if it has one, and what comes behind."""
    smiles, *behind = line.split(None, 1)
    rest = "".join(behind).strip()
    if rest.startswith("|") and "|" in rest[1:]:
        end = rest.index("|", 1) + 1
        return f"{smiles} {rest[:end]}", rest[end:].strip()
    return smiles, rest


def _molecule(smiles: str) -> Chem.Mol | None:
    """A SMILES implies its hydrogens: they become atoms where the string is a valid molecule."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        if mol is None or not mol.GetNumAtoms():
            return None
        complete = Chem.Mol(mol)
        try:
            Chem.SanitizeMol(complete)
        except (ValueError, RuntimeError):
            return mol
        return Chem.AddHs(complete)
