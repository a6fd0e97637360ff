"""What ``moldiff dock`` runs, with its progress and its tables: one ligand, or a library."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.cli.failure import Interrupted
from moldiff.cli.output import (
    PIPED,
    bar,
    counted,
    duration,
    file_names,
    files_line,
    remark,
    table,
)
from moldiff.cli.progress import stages
from moldiff.errors import MoldiffError

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
        with bar("{task.percentage:>3.0f} %") as shown:
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
        notes = [result.outcome] if result.outcome else []
        docking.write_page(page, site, output, known, title=result.name, notes=notes)
        files.append(page)
    for note in (note for note in result.notes if note not in site.notes):  # those were told
        remark(f"Note: {note}")
    if result.outcome:
        remark(f"Note: {result.outcome}")
    _table_of(result, known)
    precision = result.provenance.get("precision")
    table(
        [
            ("proposals", result.proposals),
            *([("precision", precision)] if precision else []),
            ("CPU-seconds", _seconds(result.seconds)),
            ("files", files_line(files)),
        ],
        data={
            "proposals": result.proposals,
            "precision": precision,
            "cpu_seconds": sum(result.seconds.values()),
            "notes": [*result.notes, *([result.outcome] if result.outcome else [])],
            "cavities": [one.to_dict() for one in result.cavities],
            "files": file_names(files),
        },
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
        if not any(row[4].strip("–") for row in rows):
            remark("Note: the reference is not this ligand, so there are no distances to it")
    if result.best.cnn_score is not None:
        header.insert(3, "CNN")
        for row, pose in zip(rows, result.poses, strict=True):
            row.insert(3, f"{pose.cnn_score:.2f}")
    if result.cavities:
        header.insert(-1, "cavity")
        for row, pose in zip(rows, result.poses, strict=True):
            row.insert(-1, f"{pose.cavity}")
    if result.best.required:
        header.append("required")
        for row, pose in zip(rows, result.poses, strict=True):
            row.append(pose.required)
    data = {"ligand": result.name, "smiles": result.smiles, "poses": _poses(result, known)}
    table(rows, header=header, title=f"{counted(len(rows), 'pose')} of {result.name}", data=data)


def _poses(result: DockingResult, known: Any) -> list[dict[str, Any]]:
    """The poses for programs; the keys do not depend on what was asked for."""
    from moldiff.chem.rmsd import pose_rmsd
    from moldiff.docking.result import check_words

    return [
        {
            "rank": pose.rank,
            "smiles": pose.smiles or result.smiles,
            "energy_kcal_mol": pose.energy,
            "confidence": pose.confidence,
            "cnn_score": pose.cnn_score,
            "rmsd_to_first": distance,
            "rmsd_to_reference": None if known is None else pose_rmsd(pose.mol, known),
            "checks": check_words(pose.checks) or None,
            "required": pose.required or None,
            "cavity": pose.cavity if result.cavities else None,
        }
        for pose, distance in zip(result.poses, result.distances(), strict=True)
    ]


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

    pairs = Pairs(table_of_pairs, where, choice, cavities=settings.cavities)
    with LibraryRun.open_pairs(
        pairs, settings, output, restart=restart, shard=shard, **forms
    ) as run:
        yield run


def dock_many(
    run: LibraryRun, jobs: int, threads: int, page: Path | None, known: Any, *, part: bool
) -> None:
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
    seconds = time.perf_counter() - start
    if stopped:
        safe = f" and safe in {run.manifest.path}. The same command goes on."
        raise Interrupted(
            f"Interrupted: {run.done} of {counted(run.total, 'row')} are done"
            f"{'.' if PIPED.get() else safe}"
        )
    table(
        [
            *run.summary(),
            ("seconds", f"{seconds:.1f}"),
            ("files", files_line(files)),
        ],
        data={**_counts(run), "seconds": seconds, "files": file_names(files)},
    )
    if run.manifest.best is None:
        _check_part(run, part)


def _check_part(run: LibraryRun, part: bool) -> None:
    """Raise ``MoldiffError`` for a library without any pose; say so of a part of one."""
    rows = "The only row" if run.total == 1 else f"None of the {counted(run.total, 'row')}"
    could = "could not" if run.total == 1 else "could"
    what = f"{rows} of {run.path} {could} be docked"
    if part:
        return remark(
            f"{what}: {files_line([run.output])} is empty. The other parts may have some."
        )
    why = "Write to a file to have the reasons."
    raise MoldiffError(f"{what}.", fix=why if PIPED.get() else f"The reasons are in {run.table}.")


def _counts(run: LibraryRun) -> dict[str, Any]:
    """What the summary of a library says, for programs; the keys do not depend on the library."""
    from moldiff.docking.library.manifest import DOCKED, FAILED, REFUSED

    rows, best = list(run.manifest.rows.values()), run.manifest.best
    status = Counter(row.status for row in rows)
    reasons = Counter(row.reason.split(":")[0] for row in rows if row.reason)
    met = sum(row.required == "met" for row in rows)
    return {
        "rows": run.total,
        "done": len(rows),
        **{name: status[name] for name in (DOCKED, REFUSED, FAILED)},
        "reasons": [{"reason": why, "count": n} for why, n in reasons.most_common()],
        "with_what_is_required": met if run.settings.require else None,
        "best": None
        if best is None
        else {"name": best.name, "energy_kcal_mol": best.energy, "confidence": best.confidence},
    }
