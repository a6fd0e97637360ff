"""What a user asks for, by name, and the filters that stand for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moldiff.chem.alerts import parse_catalogues
from moldiff.chem.filters import Filters, Measured, Reason
from moldiff.chem.where import parse_where
from moldiff.filtering.known import known_molecules, known_rings
from moldiff.metrics.novelty import smiles_hash
from moldiff.parallel import Progress

__all__ = ["Criteria", "Judge"]


@dataclass(frozen=True)
class Criteria:
    """Which molecules to keep, in the words of the user.

    Attributes
    ----------
    where:
        Conditions, all of which must be true (`moldiff.chem.where`).
    alerts:
        Catalogues of alerts, or lists of them (`moldiff.chem.alerts`).
    seen_rings:
        Data whose ring systems a molecule may have (`moldiff.filtering.known`).
    novel_to:
        Files or data whose molecules are rejected.
    strict:
        Reject what is not strictly valid.
    distinct:
        Of equal molecules keep the first; stereoisomers differ.
    """

    where: Sequence[str] = ()
    alerts: Sequence[str] = ()
    seen_rings: str | None = None
    novel_to: Sequence[str] = ()
    strict: bool = False
    distinct: bool = False

    def __bool__(self) -> bool:
        return bool(self.as_dict())

    @property
    def sources(self) -> tuple[Path, ...]:
        """What is read: files, or names of data."""
        return tuple(map(Path, (*self.novel_to, *([self.seen_rings] if self.seen_rings else ()))))

    def judge(self, progress: Progress | None = None) -> Judge:
        """Read what is named, and return who judges by it.

        Raises
        ------
        InputError, DataError
            If a condition is not understood, or something is not there.
        """
        conditions = tuple(map(parse_where, self.where))
        catalogues = parse_catalogues(self.alerts)
        rings = None if self.seen_rings is None else known_rings(self.seen_rings, progress)
        known = {source: known_molecules(source, progress) for source in self.novel_to}
        filters = Filters(conditions, catalogues, rings, known, self.strict)
        return Judge(filters, self.distinct)

    def as_dict(self) -> dict[str, Any]:
        """Return the values as plain ones, those that are set."""
        values = {
            "where": list(self.where),
            "alerts": list(self.alerts),
            "seen_rings": self.seen_rings,
            "novel_to": list(self.novel_to),
            "strict": self.strict,
            "distinct": self.distinct,
        }
        return {name: value for name, value in values.items() if value}


class Judge:
    """Judges molecules one after another: the second of equal ones may be rejected.

    Parameters
    ----------
    filters:
        What is rejected.
    distinct:
        Whether a molecule that was kept before is rejected.
    """

    def __init__(self, filters: Filters, distinct: bool = False) -> None:
        self.filters, self.distinct = filters, distinct
        self._kept: set[int] = set()

    def __call__(self, measured: Measured, fields: Mapping[str, str]) -> tuple[Reason, ...]:
        """Return why a molecule with these data fields is rejected; nothing if it is kept."""
        reasons = tuple(self.filters.reasons(measured, fields))
        if reasons or not self.distinct:
            return reasons
        identity = smiles_hash(measured.smiles)
        if identity in self._kept:
            return (Reason("repeated"),)
        self._kept.add(identity)
        return ()
