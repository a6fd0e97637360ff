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
- ``protocols``: name ("lookup", "graph", "corrected", "posebusters", "relaxation" with MMFF94,
  "xtb" for relaxation with GFN2-xTB, "distributions", "composition") -> ``title``,
  ``description``, ``seconds`` and ``failures`` (reason -> count);
- ``metrics``: name -> ``protocol``, ``label``, ``description``, ``unit``, ``direction``,
  ``value``, ``n``, ``low``, ``high`` (95 % interval or null), ``reason`` (why ``value`` is null)
  and ``data`` (the same five numbers for the data itself, or null);
- ``details``: "posebusters" (check -> result), "relaxation" and "xtb" ("drop_median.mean" and
  "drop_median.deviation" over five subsets, and so on) and "distributions" (class -> result);
- ``bands``: "10-18" (heavy atoms) -> ``n`` and ``metrics`` (name -> the five numbers and ``data``);
  empty where the molecules are in one band at most and none were asked for;
- ``kept``: "part", "stereo", "rmsd", "in_place" -> the five numbers, see `moldiff.metrics.kept`;
  empty where no part was to be kept.

Rates are fractions from 0 to 1, and "points" differences of them; null stands for "not applicable".
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rdkit import Chem, rdBase

from moldiff.errors import InputError
from moldiff.io import Source, records_of
from moldiff.metrics import METRICS, PROTOCOLS, Reference, Settings, Study, Value, samples
from moldiff.metrics.bands import DEFAULT, Band, by_band
from moldiff.metrics.kept import Kept, kept, part_of
from moldiff.metrics.molecules import MoleculeRow, molecule_rows
from moldiff.metrics.parallel import Progress
from moldiff.metrics.provenance import provenance, versions
from moldiff.metrics.reference_data import AUTO, fitting, located
from moldiff.metrics.show import as_html, as_text, bands_table, kept_table, metrics_table
from moldiff.tabular import Findings
from moldiff.text import counted
from moldiff.verbs import verb

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SCHEMA_VERSION", "Report", "evaluate"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report(Findings):
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
    bands:
        Results of the molecules of each band of sizes, see `moldiff.metrics.bands`.
    kept:
        What of a part is kept, see `moldiff.metrics.kept`; empty without one.
    reference:
        What it was compared with; None without.
    molecules:
        A row for each molecule, see `moldiff.metrics.molecules.molecule_rows`.
    """

    n: int
    sources: tuple[str, ...]
    bonds: Mapping[str, int]
    values: Mapping[str, Value]
    details: Mapping[str, Mapping[str, Value]]
    bands: Mapping[str, Mapping[str, Value]]
    kept: Kept
    failures: Mapping[str, Mapping[str, int]]
    seconds: Mapping[str, float]
    provenance: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, str | None]
    settings: Settings
    reference: Reference | None
    warnings: tuple[str, ...]
    molecules: tuple[MoleculeRow, ...] = ()

    def __repr__(self) -> str:
        valid = self.values["graph.strict_validity"].value
        share = "" if valid is None else f", {100 * valid:.1f} % strictly valid"
        return f"<Report of {self.n} molecules{share}>"

    def __str__(self) -> str:
        """The tables, as ``print`` shows them."""
        return as_text(self._tables())

    def _repr_html_(self) -> str:
        """Return the tables, as a notebook shows them."""
        return as_html(self._tables())

    def _tables(self) -> list[Table]:
        return [t for t in (self.table(), self.bands_table(), self.kept_table()) if t is not None]

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
            "bands": {band: self._band(band) for band in self.bands},
            "kept": {name: value.to_dict() for name, value in self.kept.items()},
        }

    def _band(self, band: str) -> dict[str, Any]:
        known = {} if self.reference is None else self.reference.bands.get(band, {})
        return {
            "n": self.bands[band]["graph.validity"].n,
            "metrics": {
                name: {
                    **value.to_dict(),
                    "data": known[name].to_dict() if name in known else None,
                }
                for name, value in self.bands[band].items()
            },
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def rows(self) -> tuple[MoleculeRow, ...]:
        """Return a row for each molecule: as CSV, what `moldiff.view` takes as ``figures``."""
        return self.molecules

    def table(self) -> Table:
        """Return a rich table of all metrics beside the data's own row."""
        return metrics_table(self)

    def bands_table(self) -> Table | None:
        """Return a rich table of the bands of sizes; None without any."""
        return bands_table(self) if self.bands else None

    def kept_table(self) -> Table | None:
        """Return a rich table of what of a part is kept; None without one."""
        return kept_table(self) if self.kept else None


@verb
def evaluate(
    records: Source,
    *,
    reference: str | Reference | None = "auto",
    posebusters: int | None = 1000,
    relax: int | None = 1000,
    xtb: int | None = 100,
    net_charge: int | None = 0,
    bands: Sequence[Band] | None = None,
    part: Sequence[Chem.Mol] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Measure all metrics of a set of molecules.

    Parameters
    ----------
    records:
        Results, records, RDKit molecules (None for one that could not be made), SMILES or files,
        in any mixture.  They are not changed.
    reference:
        What to compare with: a name, a data set or its reference's folder (see
        `moldiff.metrics.reference_data.located`), a `Reference`, or None for nothing.  "auto":
        "qm9" if most molecules are of its kind, else "druglike".
    posebusters, relax, xtb:
        At most so many molecules for the three slow protocols (PoseBusters; relaxation with
        MMFF94 and with GFN2-xTB, if the program xtb is there); None for all, 0 for none.
    net_charge:
        Charge a strictly valid molecule must have (and that of inferred graphs); None: any.
    bands:
        Smallest and largest numbers of heavy atoms: some metrics are given for the molecules of
        each band, too.  By default those of drug-like molecules, if these are in two at least.
    part:
        What every molecule is to have kept: a molecule, or several that are its fragments.
    jobs:
        Number of processes.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        For a file that is missing, unreadable, empty or of unknown kind, no molecules, an unknown
        reference, or a part that cannot be sanitised.
    DataError
        For a damaged reference.
    """
    start = time.perf_counter()
    wanted = None if part is None else part_of(part)
    named = reference if isinstance(reference, str) and reference != AUTO else None
    known = reference if isinstance(reference, Reference) else None
    if named is not None:
        known = Reference.load(*located(named))  # before any work
    settings = Settings(posebusters, relax, xtb, net_charge, jobs)
    items = list(records_of(records))
    if not items:
        raise InputError(
            "There are no molecules to evaluate.",
            fix="Give at least one; None stands for a molecule that could not be made.",
        )
    judged = samples(items, net_charge=net_charge)
    if reference == AUTO:
        known = Reference.load(fitting(sample.mol for sample in judged))
    bonds = Counter(sample.bonds for sample in judged)
    if known is not None and bonds["inferred"] > bonds["given"]:
        known = known.without_bonds()
    study = Study(judged, known, settings, progress)
    values, details = study.values(), study.details()
    parted = by_band(study, DEFAULT if bands is None else bands)
    if bands is None and sum(part["graph.validity"].n > 0 for part in parted.values()) < 2:
        parted = {}
    sources = dict.fromkeys(record.source for record in items if record.source)
    return Report(
        n=len(study.samples),
        sources=tuple(sources),
        bonds={kind: bonds.get(kind, 0) for kind in ("given", "inferred", "none")},
        values=values,
        details=details,
        bands=parted,
        kept={} if wanted is None else kept([sample.mol for sample in study.samples], wanted),
        failures=study.failures(),
        seconds={**study.seconds, "total": round(time.perf_counter() - start, 3)},
        provenance=provenance(item.tags for item in items),
        versions=versions(),
        settings=settings,
        reference=known,
        warnings=(*_warnings(bonds, known), *_left_out(study)),
        molecules=molecule_rows(study, items),
    )


def _left_out(study: Study) -> Iterator[str]:
    """Say to which molecules a protocol does not apply: its table lacks their elements."""
    for protocol, what in (("lookup", ""), ("graph", " stability"), ("corrected", " stability")):
        measured = study.measurement(protocol)
        rows = [] if isinstance(measured, str) else [r for r in measured.rows if r.outside]
        if rows:
            molecules = "molecule" if len(rows) == 1 else "molecules"
            elements = ", ".join(sorted({element for row in rows for element in row.outside}))
            yield (
                f"{PROTOCOLS[protocol].title}:{what} not applicable to {len(rows)} {molecules} of "
                f"elements that its table lacks: {elements}"
            )


def _warnings(bonds: Mapping[str, int], reference: Reference | None) -> Iterator[str]:
    if bonds.get("inferred", 0):
        yield (
            f"bonds: inferred from the coordinates for {counted(bonds['inferred'], 'molecule')} "
            "(moldiff.chem.bonds); protocols B to H judge those"
        )
    built = str(reference.info.get("rdkit", "")) if reference else ""
    if built and built.split(".")[:2] != rdBase.rdkitVersion.split(".")[:2]:
        yield (
            f"the reference was built with RDKit {built}, this is {rdBase.rdkitVersion}: "
            "canonical SMILES may differ, and novelty with them"
        )
