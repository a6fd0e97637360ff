"""What became of the records: a summary as plain values, and a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import Any

from moldiff.chem.picking import Pick
from moldiff.filtering.criteria import Criteria
from moldiff.filtering.sieve import KEPT, Row, Sieve
from moldiff.io import Record
from moldiff.io.parse import PARSERS
from moldiff.text import digest_of
from moldiff.view import DEFAULT_LIMIT, Verdicts, write_html

__all__ = ["summary", "write_page"]

_SCHEMA = "moldiff.filter"


def summary(
    sieve: Sieve, criteria: Criteria, files: Sequence[Path], *, complete: bool = True
) -> dict[str, Any]:
    """Return counts and settings, JSON-ready.

    Keys: ``schema``; ``digest`` (of the output); ``files``; ``complete`` (false after Ctrl-C);
    ``records``, ``passed`` and ``kept``; ``rejected`` (filter -> molecules, one that several reject
    in each); ``filters`` and ``pick`` (what was asked for); ``table`` and ``output``.
    """
    outcome, pick = sieve.outcome, sieve.pick
    return {
        "schema": _SCHEMA,
        "digest": digest_of(sieve.output),
        "files": [str(path) for path in files],
        "complete": complete,
        "records": outcome.read,
        "passed": outcome.passed,
        "kept": outcome.kept,
        "rejected": dict(outcome.reasons.most_common()),
        "filters": criteria.as_dict(),
        "pick": None if pick is None else _chosen(pick),
        "output": str(sieve.output),
        "table": str(sieve.table),
    }


def _chosen(pick: Pick) -> Mapping[str, Any]:
    return {"number": pick.number, "by": pick.method, "seed": pick.seed}


def write_page(path: Path, sieve: Sieve, title: str, limit: int = DEFAULT_LIMIT) -> None:
    """Write a page with the molecules that are kept, in their order, and the first rejected ones.

    Raises
    ------
    InputError
        If ``path`` cannot be written.
    """
    rows = nsmallest(
        limit,
        (row for row in sieve.rows() if row.text),
        key=lambda row: (row.status != KEPT, row.place or 0),
    )
    left_out = sieve.outcome.read - len(rows)
    suffix = sieve.output.suffix.lower()

    def records() -> Iterator[Record]:
        for row in rows:
            yield _record(row, suffix)
        for _ in range(left_out):  # the page counts them
            yield Record(None, "", None, "", 0)

    verdicts = Verdicts("kept", "rejected", "passes the filters and is picked")
    write_html(path, records(), title=title, limit=max(1, len(rows)), verdicts=verdicts)


def _record(row: Row, suffix: str) -> Record:
    text = row.text.replace("$$$$\n", "").rstrip("\n")
    (parsed,) = PARSERS[suffix].parse(text.split("\n"))
    values = {name: f"{value:.6g}" for name, value in row.values.items()}
    tags = {"status": row.status, "file": row.source, "record": str(row.index + 1), **values}
    if row.alerts:
        tags["alerts"] = "; ".join(row.alerts)
    reason = "; ".join(row.reasons) or (None if row.status == KEPT else row.status)
    return Record(parsed.mol, row.name, reason, row.source, row.index, {**tags, **parsed.tags})
