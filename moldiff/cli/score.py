"""``moldiff score``: anybody's poses, where they lie or minimised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import (
    check_apart,
    check_output,
    check_threads,
    commonest,
    counted,
    file_names,
    files_line,
    remark,
    table,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import stages
from moldiff.cli.receptor_options import (
    Assembly,
    Exclude,
    Keep,
    ReceptorModel,
    Waters,
    waters_of,
)
from moldiff.cli.requests import Threads
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError, MoldiffError

if TYPE_CHECKING:
    from moldiff.io import Record
    from moldiff.results import Results

EXAMPLES = (
    "moldiff score poses.sdf --receptor 1abc.pdb",
    "moldiff score vina.sdf gold.mol2 --receptor 1abc.pdb --minimise --order energy -o scored.sdf",
    "moldiff score poses.sdf --receptor 1abc.cif --reference A:401 --cnn",
)

_SHOWN = 20  # rows of the table on the terminal
# Data field -> its heading there.
_COLUMNS = {
    "energy_kcal_mol": "kcal/mol",
    "efficiency": "per atom",
    "distance_score": "distances",
    "rightness": "rightness",
    "cnn_score": "CNN",
    "cnn_affinity": "CNN's pK",
    "moved": "moved, Å",
    "rmsd_to_reference": "Å from reference",
    "checks": "checks",
}


class Order(StrEnum):
    """In which order poses are written."""

    given = "given"
    energy = "energy"
    distances = "distances"
    rightness = "rightness"
    cnn = "cnn"


@scriptable(".sdf")
def command(
    poses: Annotated[
        list[Path],
        typer.Argument(metavar="POSES...", help="Poses in the receptor's frame: .sdf, .mol2, ..."),
    ],
    receptor: Annotated[Path, typer.Option("-r", "--receptor", help="The protein: .pdb or .cif.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Scored poses (.sdf); a table and a page go beside."),
    ] = Path("scored.sdf"),
    minimise: Annotated[
        bool,
        typer.Option(
            "--minimise", help="Minimise each pose in the docking energy first, torsions too."
        ),
    ] = False,
    cnn: Annotated[
        bool,
        typer.Option("--cnn", help="Score with gnina's network too (pip install 'moldiff[cnn]')."),
    ] = False,
    order: Annotated[
        Order, typer.Option(help="As given, or the best first by one of the scores.")
    ] = Order.given,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|A:401|LIG", help="A known pose, in a file or in the receptor's own."
        ),
    ] = None,
    exclude: Exclude = None,
    keep: Keep = None,
    waters: Waters = None,
    assembly: Assembly = None,
    receptor_model: ReceptorModel = 1,
    threads: Threads = 1,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Write the page too.")] = True,
    force: Force = False,
) -> None:
    """Score the poses of any program: energy, distances, rightness, checks and interactions.

    The energy is the Vina function, in kcal/mol; efficiency is the energy for each heavy atom;
    distances are scored by a learned log-ratio, bound poses against random ones; rightness is the
    logit of the probability that a pose is within 2 Å of the bound one, to compare poses of one
    ligand. A ligand of the receptor's file that the poses lie on is left out. The records keep
    their data fields; OUTPUT's name with .csv is a table of all, with the reason where a record has
    no score.

    Exit status 1 if no pose could be scored.
    """
    check_output(output, (".sdf",))
    scores, page = output.with_suffix(".csv"), output.with_suffix(".html")
    given = [*poses, receptor, *([Path(reference)] if reference else [])]
    for path in (output, scores, page):
        check_apart("--output", path, given)
    kinds: dict[Path, str | Path] = {output: "scored", scores: "scores"}
    check_replaceable(kinds | ({page: "page"} if html else {}), force=force)
    check_threads(threads)
    if order is Order.cnn and not cnn:
        raise InputError("--order cnn needs the score that --cnn adds.", fix="Give both.")
    load_torch()
    from moldiff.cpu import using_threads
    from moldiff.docking.posed import PoseScorer
    from moldiff.docking.score import ordered, readable, require_cnn
    from moldiff.results import Results

    if cnn:
        require_cnn()
    records = readable(poses)
    choice: dict[str, Any] = {"exclude": exclude or (), "keep": keep or ()}
    choice |= {"waters": waters_of(waters), "assembly": assembly, "model": receptor_model}
    with using_threads(threads):
        scorer = PoseScorer.open(
            receptor, records, reference=reference, minimise=minimise, cnn=cnn, **choice
        )
        for note in scorer.notes:
            remark(f"Note: {note}")
        try:
            with stages() as show:
                n = len(records)
                scored = Results(scorer(records, lambda stage, done: show(stage, int(done * n), n)))
        except KeyboardInterrupt:
            raise Interrupted("Interrupted: nothing was written.") from None
    result = ordered(scored, order.value)
    files = [result.save(output), result.save(scores)]
    if html:
        from moldiff.view.docking import write_docking

        complete = [record for record in result if record.mol is not None]
        title = f"{', '.join(path.name for path in poses)} in {receptor.name}"
        write_docking(
            page,
            complete,
            scorer.receptor,
            title=title,
            reference=scorer.reference,
            notes=scorer.notes,
        )
        files.append(page)
    if reference and not any("rmsd_to_reference" in record.tags for record in result):
        remark("Note: --reference is another molecule than every pose: there is no distance to it.")
    _close(result, files, scorer.notes)


def _close(result: Results[Record], files: list[Path], notes: Sequence[str]) -> None:
    """Print the scores, and fail if there are none."""
    done = [record for record in result if record.mol is not None]
    reasons = Counter(record.reason or "" for record in result if record.mol is None)
    here = [name for name in _COLUMNS if any(name in record.tags for record in done)]
    rows = [
        [f"{k}", record.name or "–", *(record.tags.get(name, "–") for name in here)]
        for k, record in enumerate(done[:_SHOWN], start=1)
    ]
    if rows:
        table(rows, header=["", "name", *(_COLUMNS[name] for name in here)], data={})
    if len(done) > _SHOWN:
        remark(f"{len(done) - _SHOWN} more poses are in {file_names(files[1:2])[0]}.")
    unscored = f", not scored: {commonest(dict(reasons.most_common()), 4)}" if reasons else ""
    table(
        [
            ("poses", f"{len(done)} of {counted(len(result), 'record')}{unscored}"),
            ("files", files_line(files)),
        ],
        data={
            "records": len(result),
            "scored": len(done),
            "poses": [_row(record) for record in done[:_SHOWN]],
            "reasons": [{"reason": why, "count": n} for why, n in reasons.most_common()],
            "notes": list(notes),
            "files": file_names(files),
        },
    )
    if not done:
        raise MoldiffError(
            f"None of the {counted(len(result), 'record')} could be scored: "
            f"{reasons.most_common(1)[0][0]}.",
            fix=f"The reasons are in {file_names(files[1:2])[0]}.",
        )


def _row(record: Record) -> dict[str, Any]:
    """What the table says of a pose, by the names of its data fields; numbers as numbers."""
    row: dict[str, Any] = {"name": record.name or None}
    for name in _COLUMNS:
        value = record.tags.get(name)
        row[name] = value if value is None or name == "checks" else float(value)
    return row
