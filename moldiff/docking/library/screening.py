"""Docking a library: the run, its manifest, and its output files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import InputError
from moldiff.protein.interactions import KINDS
from moldiff.version import __version__

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.docking.library.entries import Entry
    from moldiff.docking.library.manifest import Manifest, Row
    from moldiff.docking.settings import Settings
    from moldiff.docking.site import Site

__all__ = ["COLUMNS", "LibraryRun"]

#: Columns of the table of a library, one row for each of its records.
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
_SHOWN = 4  # kinds of failure in the closing table


class LibraryRun:
    """A library and a pocket: docks the rows and writes the files; see `LibraryRun.open`.

    Parameters
    ----------
    site:
        The pocket.
    path, entries:
        The library: its file, and its records.
    settings:
        Settings of every docking.
    output:
        The SDF file of the ranked poses; ``.csv``, ``.html`` and ``.manifest.jsonl`` are
        written beside it.
    manifest:
        The finished rows.
    """

    def __init__(
        self,
        site: Site,
        path: Path,
        entries: Sequence[Entry],
        settings: Settings,
        output: Path,
        manifest: Manifest,
    ) -> None:
        self.site, self.path, self.entries = site, path, entries
        self.settings, self.output, self.manifest = settings, output, manifest
        self.total = len(entries)
        self.resumed = self.done

    @classmethod
    @contextmanager
    def open(
        cls,
        site: Site,
        path: Path,
        settings: Settings,
        output: Path,
        *,
        restart: bool = False,
        isomers: bool = False,
    ) -> Iterator[LibraryRun]:
        """Open a library (``.csv``, ``.sdf``, ``.smi`` ...) for the duration of a ``with`` block.

        ``restart`` deletes an existing manifest; ``isomers`` docks each isomer of a ligand that
        leaves some open.

        Raises
        ------
        InputError, ConfigError
            If the library cannot be read, an existing manifest belongs to another batch, or this
            device lacks the precision.
        """
        from moldiff.docking.library.entries import enumerated, read_library
        from moldiff.docking.library.manifest import Manifest
        from moldiff.docking.requirement import requirements
        from moldiff.text import digest_of

        if _table_path(output).resolve() == path.resolve():
            raise InputError(
                f"The table of the results would overwrite the library '{path}'.",
                fix="Give another --output.",
            )
        settings = settings.resolved()  # once, not in every process
        requirements(settings.require, site.receptor.structure)
        entries: Sequence[Entry] = read_library(path)
        entries = enumerated(entries) if isomers else entries
        manifest_path = output.with_suffix(".manifest.jsonl")
        if restart:
            manifest_path.unlink(missing_ok=True)
        header = {
            "moldiff": __version__,
            "library": digest_of(path),
            "receptor": site.digest,
            "pocket": site.pocket.digest,
            **{key: json.dumps(value) for key, value in settings.as_dict().items()},
            **({"enumerate_stereo": "true"} if isomers else {}),
        }
        with Manifest.open(manifest_path, header) as manifest:
            yield cls(site, path, entries, settings, output, manifest)

    @property
    def done(self) -> int:
        """Number of saved rows."""
        return len(self.manifest.rows)

    def work(
        self, jobs: int = 1, threads: int = 1, progress: Callable[[Row], None] | None = None
    ) -> None:
        """Dock the remaining entries."""
        from moldiff.docking.library.library import dock_entries

        try:
            dock_entries(
                self.entries,
                self.site.pocket,
                self.settings,
                self.manifest,
                jobs=jobs,
                threads=threads,
                progress=progress,
            )
        except KeyboardInterrupt:
            self.manifest.reload()
            raise

    def write(self, page: Path | None = None, known: Chem.Mol | None = None) -> list[Path]:
        """Write the ranked poses, the table of all rows, and the page; return the files.

        Poses and page of an earlier run do not stay beside a table that they do not belong to.
        """
        from moldiff.docking.api import write_page
        from moldiff.text import replace_text

        places: dict[int, int] = {}
        records = []
        for place, row in enumerate(self.manifest.ranked(), start=1):
            places[row.index] = place
            records.append(row.sdf)
        table = _table_path(self.output)
        files = [table]
        replace_text(table, self._table(places))
        if page is None or not records:
            self.output.with_suffix(".html").unlink(missing_ok=True)
        if records:  # no SDF file without poses
            replace_text(self.output, "".join(records))
            files.insert(0, self.output)
        else:
            self.output.unlink(missing_ok=True)
        if page is not None and records:
            write_page(page, self.site, self.output, known, title=self.path.name)
            files.append(page)
        return [*files, self.manifest.path]

    def summary(self) -> list[tuple[str, str]]:
        """Return rows for a closing table: counts by status and reason, and the best."""
        rows = self.manifest.rows.values()
        counts = Counter(row.status for row in rows)
        summary = [("rows", f"{len(rows)} of {self.total}")]
        summary += [(status, f"{count}") for status, count in counts.most_common()]
        reasons = Counter(row.reason.split(":")[0] for row in rows if row.reason)
        summary += [(f"  {reason}", f"{count}") for reason, count in reasons.most_common(_SHOWN)]
        if self.settings.require:
            met = sum(row.required == "met" for row in rows)
            summary.append(("with what is required", f"{met}"))
        energies = [(row.lacks, row.energy, row.name) for row in rows if row.energy is not None]
        if energies:
            _, energy, name = min(energies)
            summary.append(("best", f"{name}, {energy:.2f} kcal/mol"))
        return summary

    def _table(self, places: dict[int, int]) -> str:
        """Return the table as CSV: a row for each record, in its order, with its own columns."""
        from moldiff.docking.library.entries import carried

        text, receptor = io.StringIO(), "; ".join(self.site.notes)
        fields = {name: "" for entry in self.entries for name in entry.fields}
        names = dict(zip(fields, carried(fields, COLUMNS), strict=True))
        writer = csv.DictWriter(text, [*COLUMNS, *names.values()], lineterminator="\n")
        writer.writeheader()
        for entry in self.entries:
            row = self.manifest.rows.get(entry.index)
            cells = _unfinished(entry) if row is None else _cells(row)
            cells |= {"row": entry.record + 1, "receptor_notes": receptor}
            cells["place"] = places.get(entry.index, "")
            writer.writerow(cells | {names[key]: value for key, value in entry.fields.items()})
        return text.getvalue()


def _unfinished(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "status": "not done", "reason": "interrupted"}


def _cells(row: Row) -> dict[str, Any]:
    """The cells of a row that are its own."""
    return {
        "name": row.name,
        "status": row.status,
        "reason": row.reason,
        "energy_kcal_mol": "" if row.energy is None else f"{row.energy:.3f}",
        "confidence": "" if row.confidence is None else f"{row.confidence:.3f}",
        "checks": row.checks,
        "required": row.required,
        **row.interactions,
        "smiles": row.smiles,
        "cpu_seconds": f"{row.seconds:.2f}",
        "notes": "; ".join(row.notes),
    }


def _table_path(output: Path) -> Path:
    return output.with_suffix(".csv")
