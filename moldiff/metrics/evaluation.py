"""Evaluate molecules: files or molecules in, a `Report` out.

The JSON form of a report (`Report.to_json`) is stable; ``moldiff/metrics/schema.json`` is its
JSON Schema.  Its keys:

- ``schema``, ``schema_version``: "moldiff.evaluation" and a number that grows only when a key
  changes its meaning or disappears;
- ``n``, ``sources``: molecules evaluated (broken records included) and the files they come from;
- ``bonds``: how many graphs were "given", "inferred" from coordinates, or are missing ("none");
- ``reference``: name and provenance of what is compared with, or null;
- ``provenance``: how the molecules were made, from the tags `moldiff generate` writes: tag
  ("model", "seed", "steps", "sampling", ...) -> its distinct values, at most 5; tags
  that no record has are left out;
- ``versions``: of the software (null: not installed), and under "cpu" the processor's model name;
- ``settings``, ``seconds``, ``warnings``;
- ``protocols``: name ("lookup", "graph", "posebusters", "relaxation" with MMFF94, "xtb" for
  relaxation with GFN2-xTB, "distributions", "composition") -> ``title``, ``description``,
  ``seconds`` and ``failures`` (reason -> count);
- ``metrics``: name -> ``protocol``, ``label``, ``description``, ``unit``, ``direction``,
  ``value``, ``n``, ``low``, ``high`` (95 % interval or null), ``reason`` (why ``value`` is null)
  and ``data`` (the same five numbers for the data itself, or null);
- ``details``: "posebusters" (check -> result) and "distributions" (class -> result).

Rates are fractions from 0 to 1, and "points" differences of them; null stands for "not applicable".
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from rdkit import Chem, rdBase

from moldiff.io import Record, read_molecules
from moldiff.metrics import METRICS, PROTOCOLS, Reference, Settings, Study, Value, samples
from moldiff.metrics.parallel import Progress
from moldiff.metrics.provenance import provenance, versions

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SCHEMA_VERSION", "Report", "evaluate"]

SCHEMA_VERSION = 1

#: A record, a molecule (None: one that could not be made), or a file of molecules.
Item: TypeAlias = "Record | Chem.Mol | str | Path | None"


@dataclass(frozen=True)
class Report:
    """The result of `evaluate`: what was measured, on what, with what, beside the data's own.

    Attributes
    ----------
    n:
        Molecules evaluated; records that could not be read count.
    values, details:
        Results by metric name; finer results by group and name.
    failures, seconds:
        By protocol: reasons with their counts; wall time, "total" included.
    bonds:
        Counts of "given", "inferred" and "none".
    provenance:
        Tag -> its distinct values, see `moldiff.metrics.provenance`.
    reference:
        What it was compared with; None without.
    """

    n: int
    sources: tuple[str, ...]
    bonds: Mapping[str, int]
    values: Mapping[str, Value]
    details: Mapping[str, Mapping[str, Value]]
    failures: Mapping[str, Mapping[str, int]]
    seconds: Mapping[str, float]
    provenance: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, str | None]
    settings: Settings
    reference: Reference | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as the module's docstring says."""
        row = {} if self.reference is None else self.reference.row
        return {
            "schema": "moldiff.evaluation",
            "schema_version": SCHEMA_VERSION,
            "n": self.n,
            "sources": list(self.sources),
            "bonds": dict(self.bonds),
            "reference": None
            if self.reference is None
            else {"name": self.reference.name, **self.reference.info},
            "provenance": {tag: list(values) for tag, values in self.provenance.items()},
            "settings": asdict(self.settings),
            "versions": dict(self.versions),
            "seconds": dict(self.seconds),
            "warnings": list(self.warnings),
            "protocols": {
                name: {
                    "title": protocol.title,
                    "description": protocol.description,
                    "seconds": self.seconds.get(name, 0.0),
                    "failures": dict(self.failures.get(name, {})),
                }
                for name, protocol in PROTOCOLS.items()
            },
            "metrics": {
                name: {
                    "protocol": metric.protocol,
                    "label": metric.label,
                    "description": metric.description,
                    "unit": metric.unit,
                    "direction": metric.direction,
                    **self.values[name].to_dict(),
                    "data": row[name].to_dict() if name in row else None,
                }
                for name, metric in METRICS.items()
            },
            "details": {
                group: {name: value.to_dict() for name, value in entries.items()}
                for group, entries in self.details.items()
            },
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def table(self) -> Table:
        """Return a rich table of all metrics beside the data's own row."""
        from rich.table import Table

        table = Table(title=f"{self.n} molecules", caption=self._caption())
        table.add_column("metric")
        for head in ("value", "95 %", "of", *(["data"] if self.reference else [])):
            table.add_column(head, justify="right")
        row = {} if self.reference is None else self.reference.row
        for protocol, about in PROTOCOLS.items():
            table.add_section()
            table.add_row(f"[bold]{about.title}[/bold]")
            for name, metric in METRICS.items():
                if metric.protocol == protocol:
                    cells = _cells(self.values[name], metric.unit)
                    data = [_number(row[name].value, metric.unit)] if name in row else []
                    table.add_row(f"  {_title(metric.label, metric.unit)}", *cells, *data)
        return table

    def _caption(self) -> str:
        used = ", ".join(f"{name} {number}" for name, number in self.versions.items() if number)
        lines = [f"{self.seconds['total']:.1f} s; {used}"]
        if self.reference is not None:
            lines.append(f"data: {self.reference.info.get('row', self.reference.name)}")
        reasons = {v.reason for v in self.values.values() if v.reason}
        lines += [f"–: {reason}" for reason in sorted(reasons)]
        return "\n".join([*lines, *self.warnings])


def evaluate(
    records: Item | Iterable[Item],
    *,
    reference: str | Reference | None = "qm9",
    posebusters: int | None = 1000,
    relax: int | None = 1000,
    xtb: int | None = 100,
    net_charge: int | None = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Measure all metrics of a set of molecules.

    Parameters
    ----------
    records:
        A file or many; records of `moldiff.io.read_molecules`; or RDKit molecules (None for
        one that could not be made).  They are not changed.
    reference:
        What to compare with: a name, a `Reference`, or None for nothing.
    posebusters, relax, xtb:
        At most so many molecules for the three slow protocols (PoseBusters; relaxation with
        MMFF94 and with GFN2-xTB, if the program xtb is there); None for all, 0 for none.
    net_charge:
        Charge a strictly valid molecule must have (and that of inferred graphs); None: any.
    jobs:
        Number of processes.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        For a file that is missing, unreadable, empty or of unknown kind.
    DataError
        For an unknown or damaged reference.
    """
    start = time.perf_counter()
    known = Reference.load(reference) if isinstance(reference, str) else reference
    settings = Settings(posebusters, relax, xtb, net_charge, jobs)
    items = list(_records(records))
    study = Study(samples(items, net_charge=net_charge), known, settings, progress)
    values, details = study.values(), study.details()
    bonds = Counter(sample.bonds for sample in study.samples)
    sources = dict.fromkeys(r.source for r in items if isinstance(r, Record) and r.source)
    return Report(
        n=len(study.samples),
        sources=tuple(sources),
        bonds={kind: bonds.get(kind, 0) for kind in ("given", "inferred", "none")},
        values=values,
        details=details,
        failures=study.failures(),
        seconds={**study.seconds, "total": round(time.perf_counter() - start, 3)},
        provenance=provenance(item.tags for item in items if isinstance(item, Record)),
        versions=versions(),
        settings=settings,
        reference=known,
        warnings=tuple(_warnings(bonds, known)),
    )


def _records(records: Item | Iterable[Item]) -> Iterator[Record | Chem.Mol | None]:
    if records is None or isinstance(records, Record | Chem.Mol | str | Path):
        records = [records]
    for item in records:
        if isinstance(item, str | Path):
            yield from read_molecules(item)
        else:
            yield item


def _warnings(bonds: Mapping[str, int], reference: Reference | None) -> Iterator[str]:
    if bonds.get("inferred", 0):
        yield (
            f"bonds: inferred from the coordinates for {bonds['inferred']} molecules "
            "(RDKit rdDetermineBonds); protocol B judges those"
        )
    built = str(reference.info.get("rdkit", "")) if reference else ""
    if built and built.split(".")[:2] != rdBase.rdkitVersion.split(".")[:2]:
        yield (
            f"the reference was built with RDKit {built}, this is {rdBase.rdkitVersion}: "
            "canonical SMILES may differ, and novelty with them"
        )


_PERCENT = ("rate", "points")
_DIGITS = {"rate": 1, "points": 1, "kcal/mol": 2, "Å": 4, "degrees": 2, "count": 3}


def _number(value: float | None, unit: str) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value * (100 if unit in _PERCENT else 1):.{_DIGITS[unit]}f}"


def _cells(value: Value, unit: str) -> list[str]:
    known = value.low is not None and value.high is not None
    interval = f"{_number(value.low, unit)} to {_number(value.high, unit)}" if known else ""
    return [_number(value.value, unit), interval, str(value.n) if value.n else ""]


def _title(label: str, unit: str) -> str:
    shown = {"rate": "%", "points": "percentage points", "count": ""}.get(unit, unit)
    return f"{label}, {shown}" if shown else label
