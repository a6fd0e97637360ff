"""What ``moldiff dock`` runs, with its progress and its tables: one ligand, or a library."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.cli.failure import Interrupted
from moldiff.cli.output import bar, counted, duration, remark, table
from moldiff.cli.progress import stages
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.docking.library.screening import LibraryRun
    from moldiff.docking.result import DockingResult
    from moldiff.docking.settings import Settings
    from moldiff.docking.site import Site, Where

__all__ = ["dock_many", "dock_one", "open_pairs"]

_WORTH = 20.0  # seconds worth an estimate before they pass


def dock_one(
    site: Site,
    one: Any,
    settings: Settings,
    output: Path,
    page: Path | None,
    known: Any,
    *,
    isomers: bool,
    tautomers: int,
) -> None:
    """Dock one ligand and say what came of it."""
    from moldiff.docking import api as docking

    try:
        with bar() as shown:
            line = shown.add_task("preparing", total=1.0)

            def progress(stage: str, done: float) -> None:
                shown.update(line, description=stage, completed=done)

            result = site.dock_forms(
                one, settings, stereo=isomers, tautomers=tautomers, progress=progress
            )
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was written.") from None
    files = [*docking.write_result(result, output), *site.write_receptor(output)]
    if page is not None:
        docking.write_page(page, site, output, known, title=result.name)
        files.append(page)
    for note in (note for note in result.notes if note not in site.notes):  # those were told
        remark(f"Note: {note}")
    _table_of(result, known)
    precision = result.provenance.get("precision")
    table(
        [
            ("proposals", result.proposals),
            *([("precision", precision)] if precision else []),
            ("CPU-seconds", _seconds(result.seconds)),
            ("files", ", ".join(str(path) for path in files)),
        ]
    )


def _table_of(result: DockingResult, known: Any) -> None:
    """Print the poses; with a known pose the RMSD to it stands in place of that to the first."""
    from moldiff.docking import api as docking

    header = ["rank", "kcal/mol", "confidence", "Å from first", "checks"]
    rows = [list(row) for row in result.table()]
    if known is not None:
        header.insert(4, "Å from reference")
        for row, pose in zip(rows, result.poses, strict=True):
            row.insert(4, docking.distance_text(pose.mol, known))
    if result.best.cnn_score is not None:
        header.insert(3, "CNN")
        for row, pose in zip(rows, result.poses, strict=True):
            row.insert(3, f"{pose.cnn_score:.2f}")
    if result.best.required:
        header.append("required")
        for row, pose in zip(rows, result.poses, strict=True):
            row.append(pose.required)
    table(rows, header=header, title=f"{counted(len(rows), 'pose')} of {result.name}")


def _seconds(seconds: Any) -> str:
    parts = [f"{stage} {value:.1f}" for stage, value in seconds.items() if value >= 0.05]
    return f"{sum(seconds.values()):.1f} ({', '.join(parts)})"


@contextmanager
def open_pairs(
    table_of_pairs: Path,
    where: Where | None,
    choice: Mapping[str, Any],
    settings: Settings,
    output: Path,
    restart: bool,
    shard: tuple[int, int] | None,
    forms: Mapping[str, Any],
) -> Iterator[LibraryRun]:
    """Open the run of a table of receptors and ligands."""
    from moldiff.docking.library.pairs import Pairs
    from moldiff.docking.library.screening import LibraryRun

    pairs = Pairs(table_of_pairs, where, choice)
    with LibraryRun.open_pairs(
        pairs, settings, output, restart=restart, shard=shard, **forms
    ) as run:
        yield run


def dock_many(run: LibraryRun, jobs: int, threads: int, page: Path | None, known: Any) -> None:
    """Dock a library and say what came of it; Ctrl-C keeps what is done."""
    start, stopped = time.perf_counter(), False
    if run.resumed:
        remark(f"Going on: {run.resumed} of {counted(run.total, 'row')} were done before.")

    def best() -> str:
        return f"best {run.best()}" if run.best() else ""

    waiting, seconds = run.estimate(jobs)
    if seconds > _WORTH:
        remark(
            f"{counted(waiting, 'ligand')} to dock, roughly {duration(seconds)} with "
            f"{counted(jobs, 'process')}."
        )
    with stages() as show:
        try:
            run.work(jobs, threads, lambda row: show("docking", run.done, run.total, best()))
        except KeyboardInterrupt:
            stopped = True
    files = run.write(page, known)
    if stopped:
        raise Interrupted(
            f"Interrupted: {run.done} of {counted(run.total, 'row')} are done and safe in "
            f"{run.manifest.path}. The same command goes on."
        )
    table(
        [
            *run.summary(),
            ("seconds", f"{time.perf_counter() - start:.1f}"),
            ("files", ", ".join(str(path) for path in files)),
        ]
    )
    if not any(row.energy is not None for row in run.manifest.rows.values()):
        raise InputError(
            f"None of the {counted(run.total, 'row')} of {run.path} could be docked.",
            fix=f"The reasons are in {files[0]}.",
        )
