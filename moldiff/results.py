"""The list that the verbs give and take: molecules with a table, a page and a file.

>>> molecules = moldiff.generate(16)  # doctest: +SKIP
>>> molecules.to_frame()  # a row each  # doctest: +SKIP
>>> molecules.save("molecules.sdf")  # doctest: +SKIP
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex, TypeVar, overload

from moldiff.chem.validity import canonical_smiles
from moldiff.errors import unknown_suffix
from moldiff.io import WRITABLE, Record, records_of, write
from moldiff.tabular import Row, Tabular
from moldiff.text import counted, number_of, replace_text

__all__ = ["Presentable", "Results"]

T = TypeVar("T")
_PAGES, _TABLE = (".html", ".htm"), ".csv"
_SAVED = (*WRITABLE, _TABLE, *_PAGES)


class Presentable(Tabular):
    """What can be shown in a notebook, put into a table, and saved: molecules as records."""

    @abstractmethod
    def as_records(self) -> Iterable[Record]:
        """Return the molecules, with what is known about each."""

    def rows(self) -> list[Row]:
        """Return a row for each record: name, SMILES, reason of failure, and its data fields.

        All rows have the same keys; None where a record lacks one.  Numbers are numbers, and
        identifiers such as ``0001234`` stay texts.
        """
        rows = [_row(record) for record in self.as_records()]
        keys = dict.fromkeys(key for row in rows for key in row)
        return [{key: row.get(key) for key in keys} for row in rows]

    def save(self, path: str | Path) -> Path:
        """Write the molecules (.sdf, .smi, .xyz, .json), their table (.csv) or page (.html).

        A file that is there is replaced, once the new one is complete.  Returns the path.

        Raises
        ------
        InputError
            If it cannot be written, or has another suffix.
        """
        path = Path(path)
        if path.suffix.lower() not in _SAVED:
            raise unknown_suffix("Molecules", path, _SAVED)
        if path.suffix.lower() in _PAGES:
            self._page().save(path)
        elif path.suffix.lower() == _TABLE:
            replace_text(path, self.to_csv())
        else:
            write(self.as_records(), path)
        return path

    def _repr_html_(self) -> str:
        """The page of the molecules, for notebooks; it needs no network."""
        return self._page()._repr_html_()

    def _page(self) -> Any:
        from moldiff.view.verb import view

        records = list(self.as_records())
        return view(records, title=counted(len(records), "molecule"))


class Results(list[T], Presentable):
    """Molecules of a verb, in its order: a list that every other verb takes.

    What the items are depends on the verb (`Generated`, `Record`); all are records, too:
    `as_records`.  Slices and sums are results again.
    """

    def as_records(self) -> Iterator[Record]:
        """Yield the records of all items; numbered where they have no names."""
        for number, record in enumerate(records_of(iter(self)), 1):
            yield record if record.name else replace(record, name=str(number))

    @overload
    def __getitem__(self, key: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> Results[T]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> T | Results[T]:
        """Return an item, or the results of a slice."""
        return (
            Results(super().__getitem__(key))
            if isinstance(key, slice)
            else super().__getitem__(key)
        )

    def __repr__(self) -> str:
        """What it holds, in a line; the items say the rest."""
        bad = sum(
            record.reason is not None or record.tags.get("strictly_valid") == "no"
            for record in self.as_records()
        )
        return f"<{counted(len(self), 'molecule')}{f', {bad} invalid' if bad else ''}>"

    def __add__(self, other: Iterable[Any]) -> Results[Any]:
        """Return these results and others behind them."""
        return Results([*self, *other])


def _row(record: Record) -> Row:
    smiles = None if record.mol is None else canonical_smiles(record.mol, stereo=True)
    named: Row = {"name": record.name, "smiles": smiles, "reason": record.reason}
    tags = {key: text for key, text in record.tags.items() if key != "SMILES"}
    numbers = {key: number_of(text) for key, text in tags.items()}
    return named | {key: tags[key] if n is None else n for key, n in numbers.items()}
