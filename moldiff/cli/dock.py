"""``moldiff dock``: ligands into a pocket."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.docked import check_files, written
from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force, Precision, Precisions
from moldiff.cli.output import (
    bar,
    check_threads,
    counted,
    remark,
    table,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import stages
from moldiff.cli.startup import load_torch
from moldiff.docking.settings import Settings
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.docking.library.screening import LibraryRun
    from moldiff.docking.result import DockingResult
    from moldiff.docking.site import Site

EXAMPLES = (
    "moldiff dock --receptor 1abc.pdb --ligand ligand.sdf --pocket-ligand crystal.sdf",
    "moldiff dock --receptor 1abc.cif --ligand b.sdf --pocket-ligand A:301",
    "moldiff dock --receptor 1abc.cif --ligand 'CC(=O)Nc1ccc(O)cc1' --center 12.5,-3,40.1",
    "moldiff dock --receptor 1abc.pdb --ligand a.sdf --residues A:123,A:145 --ph 7.4 -o poses.sdf",
    "moldiff dock --receptor 1abc.pdb --ligand a.sdf --autobox --require A:611:hbond",
    "moldiff dock --receptor 1abc.pdb --ligands library.csv --autobox --jobs 4 -o hits.sdf",
)


class Proposals(StrEnum):
    """Where the first poses come from."""

    auto = "auto"
    diffusion = "diffusion"
    random = "random"


@scriptable(".sdf")
def command(
    receptor: Annotated[Path, typer.Option("-r", "--receptor", help="The protein: .pdb or .cif.")],
    ligand: Annotated[
        str | None,
        typer.Option("-l", "--ligand", help="One ligand: .sdf, .mol, .mol2, .smi or a SMILES."),
    ] = None,
    ligands: Annotated[
        Path | None,
        typer.Option(
            "--ligands", help="Many ligands: .csv or .tsv with a column smiles, .sdf, .smi."
        ),
    ] = None,
    pocket_ligand: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|A:301|LIG",
            help="The pocket is where this molecule is: .sdf, .mol2, .pdb, or in the receptor.",
        ),
    ] = None,
    center: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="The pocket is around this point, in Å.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="A", help="Edge of the box in Å, or three: 20,20,30. [default: 25]"),
    ] = None,
    residues: Annotated[
        str | None,
        typer.Option(metavar="A:123,...", help="The pocket is between these residues."),
    ] = None,
    autobox: Annotated[
        bool, typer.Option("--autobox", help="Find the pocket: the largest cavity.")
    ] = False,
    exclude: Annotated[
        str | None,
        typer.Option(metavar="NAME,A:301", help="Leave these residues out of the receptor."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(metavar="HOH,A:401", help="Keep these: waters, what stands in the pocket."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Ranked poses (.sdf); a report goes beside it.")
    ] = Path("poses.sdf"),
    poses: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Poses to report. [default: 9; 1 of a library]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same poses.")] = 0,
    draws: Annotated[int, typer.Option(min=1, help="Poses to propose.")] = Settings.draws,
    starts: Annotated[
        int, typer.Option(min=0, help="Random poses to look at for more beginnings.")
    ] = Settings.starts,
    chains: Annotated[int, typer.Option(min=1, help="Searches side by side.")] = Settings.chains,
    rounds: Annotated[
        int, typer.Option(min=0, max=1000, help="Rounds of the search: slower, better.")
    ] = Settings.rounds,
    conformers: Annotated[
        int, typer.Option(min=1, max=300, help="Conformers to start from.")
    ] = Settings.conformers,
    proposals: Annotated[
        Proposals, typer.Option(help="Where poses start: the network, or at random.")
    ] = Proposals.auto,
    model: Annotated[
        Path | None,
        typer.Option(help="A model of poses that proposes them. [default: the bundled one]"),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(help="A model of distances that judges poses. [default: the bundled one]"),
    ] = None,
    ph: Annotated[
        float | None,
        typer.Option(help="7.4: protonate the ligand by rules. [default: as given]"),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A:611:hbond",
            help="An interaction poses should have: residue, or residue and kind; those without "
            "it come last and say so. Repeatable.",
        ),
    ] = None,
    posebusters: Annotated[
        bool, typer.Option("--posebusters", help="Run PoseBusters on the poses too: slower.")
    ] = False,
    reference: Annotated[
        Path | None, typer.Option(help="A known pose to compare with: .sdf, .mol2.")
    ] = None,
    enumerate_stereo: Annotated[
        bool,
        typer.Option("--enumerate-stereo", help="Dock each isomer that a ligand leaves open."),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes for a library.")] = 1,
    precision: Precisions = Precision.float32,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one operation.")] = 1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin a library again instead of going on.")
    ] = False,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Write the page too.")] = True,
    force: Force = False,
) -> None:
    """Dock ligands into a pocket of a protein.

    A ligand of the receptor's file that defines or fills the pocket is left out, and that is said.
    The poses are ranked and checked; each record says its energy (kcal/mol), its confidence
    and what it was made with. OUTPUT's name with .html is a page that shows them in the pocket.

    A library may be interrupted, even killed: the same command goes on where it was.
    """
    marker = None if pocket_ligand is None else Path(pocket_ligand)
    check_files(receptor, ligand, ligands, output, [marker, reference])
    check_replaceable(written(output, one=ligand is not None, html=html), force=force)
    check_threads(threads)
    load_torch()
    from moldiff.cpu import using_threads
    from moldiff.docking import api as docking

    where = docking.Where(pocket_ligand, center, residues, autobox, size)
    settings = Settings(
        poses=poses or (9 if ligands is None else 1),
        seed=seed,
        draws=draws,
        starts=starts,
        chains=chains,
        rounds=rounds,
        conformers=conformers,
        proposals=proposals.value,
        ph=ph,
        require=tuple(require or ()),
        posebusters=posebusters,
        model=None if model is None else str(model),
        judge=None if judge is None else str(judge),
        precision=precision.value,
    )
    known = None if reference is None else docking.read_reference(reference)
    one = None if ligand is None else docking.read_ligand(ligand)
    with using_threads(threads):
        site = docking.site(receptor, where, exclude=_words(exclude), keep=_words(keep))
        for note in site.notes:
            remark(f"Note: {note}")
        page = output.with_suffix(".html") if html else None
        if one is not None:
            _one(site, one, settings, output, page, known, isomers=enumerate_stereo)
        else:
            from moldiff.docking.library.screening import LibraryRun

            assert ligands is not None
            again = {"restart": restart, "isomers": enumerate_stereo}
            with LibraryRun.open(site, ligands, settings, output, **again) as run:
                _many(run, jobs, threads, page, known)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _one(
    site: Site,
    one: Any,
    settings: Settings,
    output: Path,
    page: Path | None,
    known: Any,
    *,
    isomers: bool,
) -> None:
    """Dock one ligand and say what came of it."""
    from moldiff.docking import api as docking

    try:
        with bar() as shown:
            line = shown.add_task("preparing", total=1.0)

            def progress(stage: str, done: float) -> None:
                shown.update(line, description=stage, completed=done)

            run = site.dock_isomers if isomers else site.dock
            result = run(one, settings, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was written.") from None
    files = docking.write_result(result, output)
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
    if result.best.required:
        header.append("required")
        for row, pose in zip(rows, result.poses, strict=True):
            row.append(pose.required)
    table(rows, header=header, title=f"{counted(len(rows), 'pose')} of {result.name}")


def _seconds(seconds: Any) -> str:
    told = [f"{stage} {value:.1f}" for stage, value in seconds.items() if value >= 0.05]
    return f"{sum(seconds.values()):.1f} ({', '.join(told)})"


def _many(run: LibraryRun, jobs: int, threads: int, page: Path | None, known: Any) -> None:
    """Dock a library and say what came of it; Ctrl-C keeps what is done."""
    start, stopped = time.perf_counter(), False
    if run.resumed:
        remark(f"Going on: {run.resumed} of {counted(run.total, 'row')} were done before.")
    with stages() as show:
        try:
            run.work(jobs, threads, lambda row: show("docking", run.done, run.total))
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
