"""Figures of molecules that were measured elsewhere: a table, whose rows find their molecules.

The table is that of ``moldiff evaluate --table``, or any CSV file with a column ``digest`` of
`moldiff.io.seal.molecule_digest`: a molecule that was changed since has no figures.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from moldiff.errors import InputError
from moldiff.io.seal import molecule_digest
from moldiff.text import number_of

__all__ = ["Figures"]

# Columns that the page has from the molecules themselves, or shows in another way.
_KNOWN = {"number", "name", "source", "digest", "smiles", "strictly_valid", "reason", "reference"}
_NOTES = "notes"
_MISSING = {"NAType", "NaTType"}  # of pandas, which need not be installed
_NOT_FINITE = {"nan", "inf", "infinity"}  # as NumPy and others write them

# column -> label, unit, digits
_LABELS: Mapping[str, tuple[str, str, int]] = {
    "posebusters": ("PoseBusters", "", 0),
    "posebusters_failed": ("Failed checks", "", 0),
    "mmff94_drop": ("MMFF94 drop", "kcal/mol", 1),
    "mmff94_rmsd": ("MMFF94 RMSD", "Å", 2),
    "xtb_drop": ("GFN2-xTB drop", "kcal/mol", 1),
    "xtb_rmsd": ("GFN2-xTB RMSD", "Å", 2),
    "novel": ("Novel", "", 0),
    "copies": ("Copies", "", 0),
}


@dataclass(frozen=True)
class Figures:
    """Rows of a table, by the digests of their molecules.

    Attributes
    ----------
    rows:
        Digest -> column -> text or number; empty columns are left out.
    source:
        Where the table is from, for messages.
    """

    rows: Mapping[str, Mapping[str, Any]]
    source: str

    @classmethod
    def of(cls, table: str | Path | Iterable[Mapping[str, Any]]) -> Figures:
        """Take a CSV file or the rows of one (``Report.molecules``).

        Raises
        ------
        InputError
            If the file cannot be read, has no column ``digest``, or a value is neither text nor a
            number.
        """
        if isinstance(table, str | Path):
            source = f"'{table}'"
            rows: Sequence[Mapping[str, Any]] = _read(Path(table))
        else:
            source, rows = "the table", list(table)
        if not rows or "digest" not in rows[0]:
            raise InputError(
                f"{source} holds no figures of molecules: it has no column 'digest'.",
                fix="Make the table with: moldiff evaluate FILE --table figures.csv",
            )
        known = [row for row in rows if _value(row.get("digest"))]
        return cls({str(row["digest"]): _filled(row, source) for row in known}, source)

    def row(self, mol: Chem.Mol | None) -> Mapping[str, Any] | None:
        """Return the row of a molecule as it was read; None where it was not measured."""
        return None if mol is None else self.rows.get(molecule_digest(mol))

    @staticmethod
    def shown(row: Mapping[str, Any]) -> dict[str, Any]:
        """The figures of a row, JSON-ready; ``notes`` among them."""
        return {key: value for key, value in row.items() if key not in _KNOWN}

    def columns(self) -> list[dict[str, Any]]:
        """Key, label, unit and digits of the figures that any row has, in the order above."""
        used = dict.fromkeys(key for row in self.rows.values() for key in self.shown(row))
        known = [key for key in _LABELS if key in used]
        others = [key for key in used if key not in _LABELS and key != _NOTES]
        columns = []
        for key in (*known, *others):
            label, unit, digits = _LABELS.get(key, (key, "", None))
            columns.append({"key": key, "label": label, "unit": unit, "digits": digits})
        return columns

    def reference(self) -> str:
        """The data that novelty was judged against; empty if the rows name none or several."""
        names = {str(row["reference"]) for row in self.rows.values() if "reference" in row}
        return names.pop() if len(names) == 1 else ""


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(
            f"Cannot read the figures '{path}': {error.strerror}.",
            fix="Make them with: moldiff evaluate FILE --table figures.csv",
        ) from error
    return list(csv.DictReader(io.StringIO(text), restkey="(cells beyond the header)"))


def _filled(row: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The columns that have a value; numbers as numbers."""
    filled = {}
    for key, given in row.items():
        value = None if key == "digest" else _value(given)
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            raise InputError(
                f"The column '{key}' of {source} holds a {type(given).__name__}: {given!r}.",
                fix="Give text and numbers, and leave cells empty where nothing was measured.",
            )
        if value != "":
            filled[str(key)] = value
    return filled


def _value(value: object) -> object:
    """A finite number, of Python or NumPy, where it is one; None for what is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        number = number_of(value)
        if number is None:
            return None if value.strip().lower().lstrip("+-") in _NOT_FINITE else value
        value = number
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if type(value).__name__ in _MISSING else value
