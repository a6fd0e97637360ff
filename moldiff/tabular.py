"""Results that have rows: as a data frame, as CSV, and as a file."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.errors import MissingExtraError, unknown_suffix
from moldiff.text import csv_text, replace_text

if TYPE_CHECKING:
    import pandas

__all__ = ["Findings", "Row", "Tabular", "save_as"]

Row = dict[str, str | int | float | None]


class Tabular(ABC):
    """What has a row for each thing it is about."""

    @abstractmethod
    def rows(self) -> Sequence[Mapping[str, object]]:
        """Return the rows, all with the same keys; None where there is no value."""

    def to_frame(self) -> pandas.DataFrame:
        """Return `rows` as a data frame of pandas.

        Raises
        ------
        MissingExtraError
            If pandas is not installed; ``save("table.csv")`` has the same columns without it.
        """
        if find_spec("pandas") is None:
            raise MissingExtraError("pandas", "frame", "A data frame")
        import pandas

        return pandas.DataFrame(self.rows())

    def to_csv(self) -> str:
        """Return `rows` as CSV, with a line of the keys."""
        return csv_text(self.rows())

    def _repr_html_(self) -> str:
        """Return the table, as notebooks show it."""
        rows = self.rows()
        head = "".join(f"<th>{html.escape(key)}</th>" for key in (rows[0] if rows else ()))
        cells = (("" if v is None else html.escape(str(v)) for v in row.values()) for row in rows)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in cells)
        return f"<table><tr>{head}</tr>{body}</table>"


class Findings(Tabular):
    """What has been measured: rows, and everything as JSON."""

    @abstractmethod
    def to_json(self) -> str:
        """Return everything as JSON."""

    def save(self, path: str | Path) -> Path:
        """Write the rows (.csv) or everything (.json); return the path.

        A file that is there is replaced, once the new one is complete.

        Raises
        ------
        InputError
            If it cannot be written, or has another suffix.
        """
        return save_as(path, {".csv": self.to_csv, ".json": self.to_json}, "Reports")


def save_as(path: str | Path, texts: Mapping[str, Callable[[], str]], what: str) -> Path:
    """Write the text that belongs to the suffix, whole or not at all; return the path.

    Parameters
    ----------
    path:
        The file; one that is there is replaced.
    texts:
        What makes the text, by suffix in lower case.
    what:
        What is saved, for the error: "Reports".

    Raises
    ------
    InputError
        If it cannot be written, or has another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in texts:
        raise unknown_suffix(what, path, tuple(texts))
    replace_text(path, texts[path.suffix.lower()]())
    return path
