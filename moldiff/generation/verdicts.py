"""What `moldiff.generation.verify` finds: a verdict for each record, and the counts of all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from moldiff.generation.account import Asked, asked_of, repeated_of
from moldiff.io import Record
from moldiff.tabular import Findings

__all__ = ["STATUSES", "Status", "Verdict", "Verdicts"]

Status = Literal["reproduced", "altered", "unknown"]
STATUSES: tuple[Status, ...] = ("reproduced", "altered", "unknown")


@dataclass(frozen=True)
class Verdict:
    """What is known about one record.

    Attributes
    ----------
    index, name:
        Its position among all, from 0, and title.
    status:
        "reproduced": drawn again, it is the same; "altered": it is not what it was, or not what its
        fields draw; "unknown": neither can be said.
    why:
        A sentence for the user.
    deviation:
        Largest distance of an atom to where it is drawn, in Å; None if it was not drawn.
    file, in_file:
        The path of its file as it was given, and its position there, from 1; empty, and None, for
        one that comes from no file.
    """

    index: int
    name: str
    status: Status
    why: str
    deviation: float | None = None
    file: str = ""
    in_file: int | None = None


class Verdicts(list[Verdict], Findings):
    """A verdict for each record, in their order, and what can be said of all together.

    Attributes
    ----------
    asked:
        The requests that the records name, and which of their molecules are missing: no fault, a
        filter leaves molecules out.
    repeated:
        The indices of each set of records that are the same draw.
    """

    def __init__(self, verdicts: Iterable[Verdict], records: Sequence[Record]) -> None:
        super().__init__(verdicts)
        altered = {verdict.index for verdict in self if verdict.status == "altered"}
        self.asked: tuple[Asked, ...] = asked_of(records, altered)
        self.repeated: tuple[tuple[int, ...], ...] = repeated_of(records, altered)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each record; ``record`` counts from 1, through all files."""
        return [{"record": verdict.index + 1, **asdict(verdict)} for verdict in self]

    def to_dict(self) -> dict[str, Any]:
        """Return counts by status, requests, what is there twice, and all rows, as plain values."""
        return {
            **counts_of(self),
            "files": self.by_file(),
            "requests": [{**asdict(one), "missing": one.missing} for one in self.asked],
            "repeated": [[k + 1 for k in same] for same in self.repeated],
            "records": self.rows(),
        }

    def by_file(self) -> list[dict[str, Any]]:
        """Return for each file its path, the number of its records and their counts by status."""
        members: dict[str, list[Verdict]] = {}
        for verdict in self:
            members.setdefault(verdict.file, []).append(verdict)
        return [
            {"file": file, "records": len(own), **counts_of(own)}
            for file, own in members.items()
            if file
        ]

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"


def counts_of(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return how many verdicts have each status."""
    counts = Counter(verdict.status for verdict in verdicts)
    return {status: counts[status] for status in STATUSES}
