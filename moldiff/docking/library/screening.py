"""Docking a library: the run, its manifest, and its output files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.docking.library.manifest import Row
from moldiff.docking.library.table import check_kind, paths_of, write_table
from moldiff.errors import InputError
from moldiff.version import __version__

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.docking.library.entries import Entry
    from moldiff.docking.library.library import PlaceOf
    from moldiff.docking.library.manifest import Manifest
    from moldiff.docking.library.pairs import Pairs
    from moldiff.docking.settings import Settings
    from moldiff.docking.site import Site

__all__ = ["LibraryRun"]

_SHOWN = 4  # kinds of failure in the closing table
# CPU-seconds of a heavy atom of dexamethasone with the default settings and with five rounds: at
# all, for each draw, and for each chain in each round of the search.
_BASE, _DRAW, _CHAIN = 0.12, 0.0011, 0.000014


class LibraryRun:
    """A library: docks the rows and writes the files; see `open` and `open_pairs`.

    Parameters
    ----------
    site:
        The pocket of all; None if each entry has its own.
    place_of:
        Returns the pocket of an entry.
    path, entries:
        The library: its file, and its records.
    settings:
        Settings of every docking.
    output:
        The SDF file of the ranked poses; ``.csv``, ``.html`` and ``.manifest.jsonl`` are
        written beside it.  Of a ``.parquet`` file it is the table, and the poses are beside it.
    manifest:
        The finished rows.
    """

    def __init__(
        self,
        site: Site | None,
        place_of: PlaceOf,
        path: Path,
        entries: Sequence[Entry],
        settings: Settings,
        output: Path,
        manifest: Manifest,
    ) -> None:
        self.site, self.place_of, self.path, self.entries = site, place_of, path, entries
        self.settings, self.manifest = settings, manifest
        self.output, self.table = paths_of(output)
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
        tautomers: int = 1,
        shard: tuple[int, int] | None = None,
    ) -> Iterator[LibraryRun]:
        """Open a library (``.csv``, ``.sdf``, ``.smi`` ...) for the duration of a ``with`` block.

        ``restart`` deletes an existing manifest; ``isomers`` docks each isomer of a ligand that
        leaves some open, ``tautomers`` so many tautomers of each; ``shard`` (i, n) takes every
        n-th record, from the i-th.

        Raises
        ------
        InputError, ConfigError
            If the library cannot be read, an existing manifest belongs to another batch, or this
            device lacks the precision.
        """
        from moldiff.docking.library.entries import part_of, read_library
        from moldiff.docking.requirement import requirements

        _check(path, output)
        requirements(settings.require, site.receptor.structure)
        entries = part_of(read_library(path), shard, path)
        entries, header = _forms(entries, isomers, tautomers)
        header = {"receptor": site.digest, "pocket": site.pocket.digest, **header}
        if shard is not None:  # what moldiff merge needs to know besides
            header |= {"rows": f"{len(entries)}", "receptor_notes": "; ".join(site.notes)}
        with _manifest(path, settings, output, header, shard, restart) as (settings, manifest):
            yield cls(
                site,
                lambda entry: (entry, site.pocket),
                path,
                entries,
                settings,
                output,
                manifest,
            )

    @classmethod
    @contextmanager
    def open_pairs(
        cls,
        pairs: Pairs,
        settings: Settings,
        output: Path,
        *,
        restart: bool = False,
        isomers: bool = False,
        tautomers: int = 1,
        shard: tuple[int, int] | None = None,
    ) -> Iterator[LibraryRun]:
        """Open a table of pairs of receptor and ligand; parameters and errors as of `open`.

        Of what is required the words are checked, not whether each receptor has the residue.
        """
        from moldiff.docking.library.entries import part_of
        from moldiff.docking.requirement import Requirement

        _check(pairs.path, output)
        for text in settings.require:
            Requirement.parse(text)
        entries = part_of(pairs.entries, shard, pairs.path)
        entries, header = _forms(entries, isomers, tautomers)
        header = {"receptors": pairs.digest, **header}
        if pairs.where is not None:
            header["pocket"] = f"{pairs.where}"
        if pairs.choice:
            header["choice"] = f"{pairs.choice}"
        if shard is not None:
            header["rows"] = f"{len(entries)}"
        with _manifest(pairs.path, settings, output, header, shard, restart) as (used, manifest):
            yield cls(None, pairs.place_of, pairs.path, entries, used, output, manifest)

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
                self.place_of,
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

        The file of the poses is there, and empty, where there are none; a page is not.
        """
        from moldiff.docking.api import write_page
        from moldiff.text import replace_text

        rows, records = [], []
        for row in self.manifest.ranked():
            rows.append(replace(row, sdf=""))
            records.append(row.sdf)
        docked = {row.index for row in rows}
        rows += [self._row(entry) for entry in self.entries if entry.index not in docked]
        files = [self.output, self.table]
        write_table(self.table, rows, "; ".join(self.site.notes) if self.site else "")
        if self.site is None:
            page = None  # of one receptor
        if page is None or not records:
            self.output.with_suffix(".html").unlink(missing_ok=True)
        replace_text(self.output, "".join(records))
        if self.site is not None and page is not None and records:
            write_page(page, self.site, self.output, known, title=self.path.name)
            files.append(page)
        if self.site is not None:
            files += self.site.write_receptor(self.output)
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
        if best := self.best():
            summary.append(("best", best))
        return summary

    def estimate(self, jobs: int) -> tuple[int, float]:
        """Return how many ligands remain, and roughly how many seconds they take.

        By what those that are done took, or by their atoms and the effort of the settings.
        """
        waiting = [e for e in self.entries if e.index not in self.manifest.rows and e.mol]
        took = [row.seconds for row in self.manifest.rows.values() if row.seconds]
        if took:
            return len(waiting), len(waiting) * sum(took) / len(took) / jobs
        settings = self.settings
        each = _BASE + _DRAW * settings.draws + _CHAIN * settings.chains * settings.rounds
        atoms = sum(entry.mol.GetNumHeavyAtoms() for entry in waiting if entry.mol)
        return len(waiting), atoms * each / jobs

    def best(self) -> str:
        """Return the best ligand so far and its energy; empty without any."""
        best = self.manifest.best
        return "" if best is None else f"{best.name}, {best.energy:.2f} kcal/mol"

    def _row(self, entry: Entry) -> Row:
        """The row of an entry that has no poses, or is not done yet."""
        row = self.manifest.rows.get(entry.index)
        if row is not None:
            return row
        unfinished = Row(entry.index, entry.name, "not done", "interrupted")
        return replace(unfinished, record=entry.record, fields=entry.fields)


def _check(path: Path, output: Path) -> None:
    """Refuse an output that cannot be, or that is the library itself."""
    check_kind(output)
    if paths_of(output)[1].resolve() == path.resolve():
        raise InputError(
            f"The table of the results would overwrite the library '{path}'.",
            fix="Give another --output.",
        )


def _forms(
    entries: list[Entry], isomers: bool, tautomers: int
) -> tuple[list[Entry], dict[str, str]]:
    """The entries, those of a molecule's forms in place of it, and what the manifest says of it."""
    from moldiff.docking.library.entries import enumerated

    if not isomers and tautomers < 2:
        return entries, {}
    header = {"enumerate_stereo": "true"} if isomers else {}
    header |= {"enumerate_tautomers": f"{tautomers}"} if tautomers > 1 else {}
    return enumerated(entries, stereo=isomers, tautomers=tautomers), header


@contextmanager
def _manifest(
    path: Path,
    settings: Settings,
    output: Path,
    header: dict[str, str],
    shard: tuple[int, int] | None,
    restart: bool,
) -> Iterator[tuple[Settings, Manifest]]:
    """Open the manifest of a library; the settings are those of this device."""
    from moldiff.docking.library.manifest import Manifest
    from moldiff.text import digest_of

    settings = settings.resolved()  # once, not in every process
    manifest_path = output.with_suffix(".manifest.jsonl")
    if restart:
        manifest_path.unlink(missing_ok=True)
    whole = {
        "moldiff": __version__,
        "library": digest_of(path),
        **header,
        **{key: json.dumps(value) for key, value in settings.as_dict().items()},
        **({"shard": f"{shard[0]}/{shard[1]}"} if shard else {}),
    }
    with Manifest.open(manifest_path, whole) as manifest:
        yield settings, manifest
