"""Reading molecules in commands, with a count of unreadable records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.io import Record

__all__ = ["Readable"]


class Readable:
    """One pass over the records of a file; it ends with an error if none is a molecule.

    Attributes
    ----------
    count, unreadable:
        Number of records so far, and of those without a molecule.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._reasons: Counter[str] = Counter()

    @property
    def unreadable(self) -> int:
        return sum(self._reasons.values())

    def __iter__(self) -> Iterator[Record]:
        """Yield the records.

        Raises
        ------
        InputError
            If the file or all of its records cannot be read.
        """
        from moldiff.io import read_molecules

        for record in read_molecules(self.path):
            self.count += 1
            if record.mol is None:
                self._reasons[record.reason or "unreadable record"] += 1
            yield record
        if self.count == self.unreadable:
            raise self._nothing()

    def _nothing(self) -> InputError:
        reason = self._reasons.most_common(1)[0][0]
        many = f"None of the {self.count} records of {self.path} can be read"
        one = f"The only record of {self.path} cannot be read"
        finding = one if self.count == 1 else many
        return InputError(f"{finding}: {reason}.", fix="Check what the file holds.")
