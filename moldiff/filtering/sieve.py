"""The sieve: takes measured records one after another, and at the end picks and writes.

What it has taken lies in two temporary files, so that millions of records take little memory: the
texts of the molecules that are kept, and a row for each record.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rdkit import Chem
from rdkit.DataStructs import ExplicitBitVect

from moldiff.chem.filters import Plan, Reason, measure
from moldiff.chem.picking import Pick, restored
from moldiff.chem.where import field_of
from moldiff.errors import InputError
from moldiff.filtering.criteria import Judge
from moldiff.filtering.records import Item, fields_of
from moldiff.filtering.unfound import Unfound
from moldiff.io import Writer
from moldiff.io.render import FORMATS
from moldiff.text import replacing

__all__ = ["KEPT", "NOT_PICKED", "REJECTED", "Outcome", "Row", "Sieve"]

KEPT, REJECTED, NOT_PICKED = "kept", "rejected", "not picked"
_SHOWN = 500  # rejected molecules whose texts are remembered, to be shown


@dataclass
class Outcome:
    """What became of the records.

    Attributes
    ----------
    read, passed, kept:
        Records, those that no filter rejects, and those that are written: fewer where some are
        picked.
    reasons:
        Filter -> molecules that it rejects; one that several reject counts in each.
    picked:
        Position among those that passed -> place and cluster; None without a choice.
    """

    read: int = 0
    passed: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    picked: dict[int, tuple[int, int | None]] | None = None


@dataclass(frozen=True)
class Row:
    """A record in the end.

    Attributes
    ----------
    source, index, name, smiles:
        The file, the position in it from 0, the title, and the molecule.
    status, reasons:
        `KEPT`, `REJECTED` or `NOT_PICKED`, and why.
    values, fields:
        Properties that the conditions compare; data fields that they compare, and short ones.
    alerts, unseen:
        Alerts, and ring systems that it may not have.
    place, cluster:
        Of a choice, both from 1.
    text:
        The record as it is written, where it is remembered.
    """

    source: str
    index: int
    name: str
    smiles: str
    status: str
    reasons: tuple[str, ...]
    values: Mapping[str, float]
    fields: Mapping[str, str]
    alerts: tuple[str, ...]
    unseen: tuple[str, ...]
    place: int | None = None
    cluster: int | None = None
    text: str = ""


class Sieve:
    """Judges records and writes those it keeps, as a context.

    >>> with Sieve(judge, Path("kept.sdf"), Pick(30)) as sieve:  # doctest: +SKIP
    ...     for item in items:
    ...         sieve.add(item)

    When the block ends, be it by Ctrl-C, the molecules kept so far are written, and the table of
    all records beside them (``.csv``).  An `InputError` about data fields that no record has leaves
    nothing behind.

    Parameters
    ----------
    judge:
        Who says what is rejected.
    output:
        Where kept records go; its suffix is the format of their texts.
    pick:
        How to choose among what is kept; None keeps all.
    """

    def __init__(self, judge: Judge, output: Path, pick: Pick | None = None) -> None:
        self.judge, self.filters, self.output, self.pick = judge, judge.filters, output, pick
        self.outcome = Outcome()
        self._present: dict[str, None] = {}
        self._unfound = Unfound(self.filters.where)
        self._prints: list[ExplicitBitVect] = []
        self._shown = 0

    @property
    def plan(self) -> Plan:
        """What has to be measured of a molecule."""
        return self.filters.plan(picking=self.pick is not None)

    @property
    def absent(self) -> list[str]:
        """Data fields that a condition compares, and no record has."""
        return [name for name in self.filters.fields if name not in self._present]

    @property
    def unfound(self) -> list[str]:
        """A sentence on each text that a condition looks for, and no record has."""
        return self._unfound.notes()

    @property
    def table(self) -> Path:
        """Where the table of all records goes."""
        return self.output.with_suffix(".csv")

    def __enter__(self) -> Sieve:
        folder = self.output.parent
        self._rows: IO[bytes] = tempfile.TemporaryFile(dir=folder)
        self._texts: IO[bytes] = tempfile.TemporaryFile(dir=folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, _: TracebackType | None
    ) -> None:
        mistaken = kind is InputError and self.absent  # a request that was refused in the block
        if kind is None or (self.outcome.read and not mistaken):
            self._finish()

    def add(self, item: Item) -> bool:
        """Take a record; return whether no filter rejects it."""
        reasons = self.judge(item.measured, item.fields)
        self.outcome.read += 1
        self.outcome.reasons.update({reason.filter for reason in reasons})
        self._present.update(dict.fromkeys(item.fields))
        self._unfound.add(item.fields)
        shown = bool(reasons) and self._shown < _SHOWN
        self._shown += shown
        span = self._keep_text(item.text) if not reasons or shown else None
        if not reasons:
            self.outcome.passed += 1
            if item.measured.fingerprint is not None:
                self._prints.append(restored(item.measured.fingerprint))
        self._keep_row(item, reasons, span)
        return not reasons

    def write(self, mol: Chem.Mol, tags: Mapping[str, str], name: str) -> None:
        """Measure a molecule and take it, as a `Writer` would."""
        measured = measure(mol, self.plan)
        text = FORMATS[self.form].render(mol, name, tags) if measured.identity else ""
        fields = fields_of(tags, self.filters.fields)
        self.add(Item("", self.count, name, measured, fields, text))

    @property
    def count(self) -> int:
        """Number of records taken."""
        return self.outcome.read

    @property
    def form(self) -> str:
        """The format of the texts, a key of `moldiff.io.render.FORMATS`."""
        return self.output.suffix.lower().removeprefix(".")

    def rows(self) -> Iterator[Row]:
        """Yield the records in the end, in the order in which they were taken."""
        picked, passed = self.outcome.picked, 0
        self._rows.seek(0)
        for line in self._rows:
            content = json.loads(line)
            span, reasons = content.pop("span"), tuple(content.pop("reasons"))
            status, place, cluster = REJECTED if reasons else KEPT, None, None
            if not reasons:
                if picked is not None:
                    place, cluster = picked.get(passed, (None, None))
                    status = KEPT if place else NOT_PICKED
                passed += 1
            text = self._text(*span) if span else ""
            yield Row(
                **content, status=status, reasons=reasons, place=place, cluster=cluster, text=text
            )

    def _keep_text(self, text: str) -> tuple[int, int]:
        body = text.encode()
        return self._texts.seek(0, 2), self._texts.write(body)

    def _text(self, place: int, size: int) -> str:
        self._texts.seek(place)
        return self._texts.read(size).decode()

    def _keep_row(
        self, item: Item, reasons: Sequence[Reason], span: tuple[int, int] | None
    ) -> None:
        content: dict[str, Any] = {
            "source": item.source,
            "index": item.index,
            "name": item.name,
            "smiles": item.measured.smiles,
            "reasons": [str(reason) for reason in reasons],
            "values": dict(item.measured.values),
            "fields": dict(item.fields),
            "alerts": [" ".join(alert) for alert in item.measured.alerts],
            "unseen": self.filters.unseen(item.measured),
            "span": span,
        }
        self._rows.write(json.dumps(content).encode() + b"\n")

    def _finish(self) -> None:
        """Pick, and write what is kept and the table."""
        refused: InputError | None = None
        try:
            if self.pick is not None:
                chosen = enumerate(self.pick(self._prints), 1)
                self.outcome.picked = {index: (place, group) for place, (index, group) in chosen}
        except InputError as error:  # what has been judged must not be lost
            refused = error
        chosen_texts: list[tuple[int, str]] = []
        with Writer(self.output) as writer, replacing(self.table) as stream:
            table = csv.DictWriter(stream, list(self._cells(None)), lineterminator="\n")
            table.writeheader()
            for row in self.rows():
                table.writerow(self._cells(row))
                if row.place is not None:
                    chosen_texts.append((row.place, row.text))
                elif row.status == KEPT:
                    writer.copy(row.text)
            for _, text in sorted(chosen_texts):
                writer.copy(text)
            self.outcome.kept = writer.count
        if refused is not None:
            raise InputError(f"{refused.what} All are in {self.output}.", fix=refused.fix)

    def _cells(self, row: Row | None) -> dict[str, str]:
        """The cells of a row by column; of None, the columns alone."""
        row = row or Row("", 0, "", "", "", (), {}, {}, (), ())
        reasons = row.reasons
        if row.status == NOT_PICKED and self.pick is not None:
            reasons = (f"not among the {self.pick.number} picked",)
        cells = {
            "file": row.source,
            "record": str(row.index + 1),
            "name": row.name,
            "smiles": row.smiles,
            "status": row.status,
            "reason": "; ".join(reasons),
        }
        if self.pick is not None:
            cells |= {"place": str(row.place or ""), "cluster": str(row.cluster or "")}
        for name in self.filters.names:
            own = field_of(name)
            value = row.fields.get(own) if own is not None else row.values.get(name)
            cells[name] = f"{value:.6g}" if isinstance(value, float) else value or ""
        if self.filters.alerts:
            cells["alerts"] = "; ".join(row.alerts)
        if self.filters.rings is not None:
            cells["unseen_rings"] = " ".join(row.unseen)
        others = [name for name in self._present if name not in self.filters.fields]
        return cells | {f"<{name}>": row.fields.get(name, "") for name in others}
