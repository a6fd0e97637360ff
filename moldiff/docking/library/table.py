"""The table of a library: ranked, with the columns of the input, as CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moldiff.docking.library.entries import carried
from moldiff.docking.library.manifest import DOCKED, Row
from moldiff.errors import InputError
from moldiff.protein.interactions import KINDS
from moldiff.text import replace_text, replacing_bytes

__all__ = ["COLUMNS", "check_kind", "paths_of", "write_table"]

#: Columns of the table of a library, one row for each of its records; after the confidence stands
#: ``cnn_score`` if any has one, and then ``cavity``.
COLUMNS = (
    "row",
    "name",
    "status",
    "reason",
    "place",
    "energy_kcal_mol",
    "confidence",
    "checks",
    "required",
    *KINDS,
    "smiles",
    "cpu_seconds",
    "notes",
    "receptor_notes",
)
_WHOLE = ("row", "place", "cavity")
_REAL = ("energy_kcal_mol", "confidence", "cnn_score", "cpu_seconds")


def paths_of(output: Path) -> tuple[Path, Path]:
    """Return the files of the poses and of the table: ``hits.parquet`` has ``hits.sdf`` beside."""
    parquet = output.suffix.lower() == ".parquet"
    return output.with_suffix(".sdf"), output if parquet else output.with_suffix(".csv")


def check_kind(output: Path) -> None:
    """Raise InputError, before any work, if a Parquet file is wanted and cannot be written."""
    if output.suffix.lower() != ".parquet":
        return
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError(
            f"'{output}' needs pyarrow, which is not installed.",
            fix="Install it: pip install 'moldiff[parquet]', or write a table as CSV: "
            f"-o {output.with_suffix('.sdf').name}",
        ) from None


def write_table(path: Path, rows: Iterable[Row], receptor_notes: str = "") -> None:
    """Write the table of rows in the order given, as CSV or, by its suffix, as Parquet.

    ``place`` counts the docked ones.

    Raises
    ------
    InputError
        It cannot be written.
    """
    rows = list(rows)
    fields = {name: "" for row in rows for name in row.fields}
    columns = list(COLUMNS)
    if any(row.cnn_score is not None for row in rows):
        columns.insert(columns.index("confidence") + 1, "cnn_score")
    if any(row.cavity is not None for row in rows):
        columns.insert(columns.index("checks"), "cavity")
    names = dict(zip(fields, carried(fields, columns), strict=True))
    cells, place = [], 0
    for row in rows:
        place += row.status == DOCKED
        own = _cells(row) | {"place": place if row.status == DOCKED else ""}
        own["receptor_notes"] = receptor_notes
        own = {name: value for name, value in own.items() if name in columns}
        cells.append(own | {names[key]: value for key, value in row.fields.items()})
    header = [*columns, *names.values()]
    if path.suffix.lower() == ".parquet":
        _parquet(path, header, cells)
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    replace_text(path, text.getvalue())


def _parquet(path: Path, header: Sequence[str], cells: Sequence[Mapping[str, Any]]) -> None:
    """Write columns: numbers of ours as numbers, the input's as the text that they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = dict.fromkeys(_WHOLE, pa.int64()) | dict.fromkeys(_REAL, pa.float64())
    types = {name: kinds.get(name, pa.string()) for name in header}
    casts = {**dict.fromkeys(_WHOLE, int), **dict.fromkeys(_REAL, float)}
    columns = {}
    for name, kind in types.items():
        values = [row.get(name, "") for row in cells]
        cast = casts.get(name, str)
        columns[name] = pa.array([None if v == "" else cast(v) for v in values], type=kind)
    with replacing_bytes(path) as stream:
        pq.write_table(pa.table(columns), stream)


def _cells(row: Row) -> dict[str, Any]:
    """The cells of a row that are its own."""
    return {
        "row": row.record + 1,
        "name": row.name,
        "status": row.status,
        "reason": row.reason,
        "energy_kcal_mol": "" if row.energy is None else f"{row.energy:.3f}",
        "confidence": "" if row.confidence is None else f"{row.confidence:.3f}",
        "cnn_score": "" if row.cnn_score is None else f"{row.cnn_score:.3f}",
        "cavity": "" if row.cavity is None else row.cavity,
        "checks": row.checks,
        "required": row.required,
        **row.interactions,
        "smiles": row.smiles,
        "cpu_seconds": f"{row.seconds:.2f}" if row.seconds else "",
        "notes": "; ".join(row.notes),
    }
