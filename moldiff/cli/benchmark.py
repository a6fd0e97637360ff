"""``moldiff benchmark``: measure the package against its peers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.folds import EXAMPLES as BACKBONES
from moldiff.cli.folds import command as backbones
from moldiff.cli.gaps import EXAMPLES as GAPS
from moldiff.cli.gaps import command as gaps
from moldiff.cli.options import MOST_JOBS, lines_of
from moldiff.cli.output import counted, examples, remark, table, tell
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import stages
from moldiff.cli.recovery import EXAMPLES as SEQUENCES
from moldiff.cli.recovery import command as sequences
from moldiff.errors import InputError
from moldiff.report.markdown import around_section

if TYPE_CHECKING:
    from moldiff.benchmark.docking.methods import Run
    from moldiff.benchmark.docking.rows import Row
    from moldiff.benchmark.docking.study import Study

app = typer.Typer(help="Measure moldiff against its peers.")

_METHODS = "moldiff,random,energy,unminimised,vina1,vina8"


class Box(StrEnum):
    """Where the ligands of known complexes are searched for."""

    centred = "centred"
    jitter2 = "jitter2"
    jitter5 = "jitter5"
    residues = "residues"
    autobox = "autobox"
    largest = "largest"


@app.callback()
def _group() -> None:
    """Measure moldiff against its peers."""


@app.command(
    epilog=examples(
        "moldiff benchmark docking posebusters --limit 20 --jobs 4 -o run",
        "moldiff benchmark docking a b --methods moldiff,vina8@32,rustina --seeds 0,1,2",
        "moldiff benchmark docking a --methods moldiff,moldiff+chains=80+starts=500@20",
        "moldiff benchmark docking posebusters --box jitter5 --methods moldiff,energy -o off",
        "moldiff benchmark docking posebusters --curve -o run",
        "moldiff benchmark docking posebusters -o run --report-only",
        "moldiff benchmark docking posebusters -o new --model my.safetensors --against run",
    )
)
@scriptable()
def docking(
    sets: Annotated[
        list[Path],
        typer.Argument(
            metavar="SET...",
            help="Folders with index.csv (column id), ID/ligand.sdf and ID/protein.pdb.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the results; a run goes on in it.")
    ] = Path("docking-benchmark"),
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME[+SETTING=N][@EFFORT],...", help="What to compare, with which settings."
        ),
    ] = _METHODS,
    seeds: Annotated[
        str, typer.Option(metavar="N,...", help="Each draws other boxes and poses.")
    ] = "0",
    box: Annotated[
        Box,
        typer.Option(
            help="Where to search: about the ligand, up to 2 Å or 5 Å off, between the residues "
            "that line it, or where a pocket is found."
        ),
    ] = Box.jitter2,
    search: Annotated[
        int | None, typer.Option(min=0, help="Effort of ours: search rounds. [default: as docked]")
    ] = None,
    exhaustiveness: Annotated[
        int, typer.Option(min=1, help="Effort of Vina, over all conformers.")
    ] = 8,
    curve: Annotated[
        bool, typer.Option("--curve", help="Also run everything at all efforts, for the picture.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="Only so many complexes, drawn at random."),
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(help="Only the complexes in this file: id or set/id a line.")
    ] = None,
    similarity: Annotated[
        Path | None,
        typer.Option(help="Similarity to the training set, for a split: .csv set,id,max_sim."),
    ] = None,
    poses: Annotated[int, typer.Option(min=1, help="Poses of each method at most.")] = 9,
    posebusters: Annotated[
        int, typer.Option(min=0, help="Poses shown to PoseBusters; 0 for none.")
    ] = 9,
    jobs: Annotated[
        int, typer.Option(min=1, max=MOST_JOBS, help="Dockings at a time, one thread each.")
    ] = 1,
    time_limit: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="CPU-seconds for a docking.")
    ] = 1200,
    model: Annotated[
        Path | None, typer.Option(help="A docking model. [default: the bundled one]")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Results (-o) of another version, model or box: paired differences to them."
        ),
    ] = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Dock nothing; report what is there.")
    ] = False,
    readme: Annotated[
        Path | None,
        typer.Option(
            help="Also put a short table of --methods between this file's docking markers."
        ),
    ] = None,
) -> None:
    """Dock ligands back into their crystal receptors, by moldiff and by others.

    Every method gets the same boxes, preparation and thread. Full sets take hours: the run may
    be interrupted, even killed, and goes on with the same command; the report is about what is
    finished, which is a random part.
    """
    from moldiff.benchmark.docking import readme as short
    from moldiff.benchmark.docking.complexes import choose, read_set
    from moldiff.benchmark.docking.rows import earlier
    from moldiff.benchmark.docking.study import Plan, Study, read_similarity

    if not report_only and model is not None and not model.is_file():
        raise InputError(f"There is no model file {model}.", fix="Check the path.")
    if readme is not None:  # fail before hours of work
        around_section(readme, short.SECTION)
    complex_sets = [read_set(folder) for folder in sets]
    if len({folder.resolve().name for folder in sets}) < len(sets):
        raise InputError("Two of the sets have the same name.", fix="Name each folder once.")
    plan = Plan(
        _runs(methods, search, exhaustiveness, curve=curve),
        _seeds(seeds),
        poses,
        posebusters,
        time_limit,
        None if model is None else str(model),
        box.value,
    )
    cases = choose(complex_sets, limit=limit, only=None if ids is None else _ids(ids))
    similarities = {} if similarity is None else read_similarity(similarity)
    before = () if against is None else earlier(against)
    with Study.open(cases, plan, output, similarities) as study:
        stopped = not report_only and _work(study, jobs)
        result = _tell(study, before)
        if readme is not None:
            requested = _runs(methods, search, exhaustiveness, curve=False)
            written = short.into_readme(result, {run.label for run in requested}, readme)
            remark(f"Put into: {readme}" if written else f"Nothing is finished: {readme} stays.")
        left = len(study.open_tasks())
    if stopped:
        raise Interrupted(
            f"Interrupted: {study.total - left} of {counted(study.total, 'docking')} are done and "
            f"safe in {output}. The same command goes on."
        )


app.command("backbones", epilog=examples(*BACKBONES))(scriptable(".csv")(backbones))
app.command("gaps", epilog=examples(*GAPS))(scriptable(".csv")(gaps))
app.command("sequences", epilog=examples(*SEQUENCES))(scriptable(".csv")(sequences))


def _runs(words: str, search: int | None, exhaustiveness: int, *, curve: bool) -> tuple[Run, ...]:
    from moldiff.benchmark.docking.methods import parse
    from moldiff.benchmark.docking.study import curve_runs
    from moldiff.docking.settings import Settings

    usual = Settings().rounds if search is None else search
    runs = parse(words.split(","), search=usual, exhaustiveness=exhaustiveness)
    return tuple(dict.fromkeys([*runs, *(curve_runs() if curve else [])]))


def _seeds(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) < 2**31 - 1 for word in words):
        raise InputError(
            f"--seeds {text} is not a list of numbers.", fix="For example --seeds 0,1,2."
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def _ids(path: Path) -> frozenset[str]:
    return frozenset(word for line in lines_of(path, "--ids") for word in line.split())


def _work(study: Study, jobs: int) -> bool:
    """Dock the rest; return whether it was interrupted."""
    left, total = len(study.open_tasks()), study.total
    if study.stale:
        remark(
            f"{counted(study.stale, 'row')} of other settings, weights or versions do not count."
        )
    if left < total:
        remark(f"Going on: {total - left} of {counted(total, 'docking')} were done before.")
    done, failed = total - left, 0

    def report(row: Row) -> None:
        nonlocal done, failed
        done += 1
        failed += row.status == "failed"
        show("docking", done, total, f"{failed} failed" if failed else "")

    try:
        with stages() as show:
            show("docking", done, total)
            study.work(jobs, report)
    except KeyboardInterrupt:
        return True
    return False


def _tell(study: Study, before: Sequence[Row]) -> dict[str, Any]:
    """Write the files and print the tables; return the document."""
    from moldiff.benchmark.docking import report

    result, files = study.write(before)
    tell(result)
    for part in report.tables(result):
        table(part.rows, header=part.header, title=part.title, data={})
        if part.remark:
            print(f"  {part.remark}")
    done, total = study.total - len(study.open_tasks()), study.total
    if done < total:
        print(f"{done} of {counted(total, 'docking')} are finished: figures of a random part.")
    if result["no_curve"]:
        remark(f"No curve: {result['no_curve']}.")
    remark(f"Written: {', '.join(str(path) for path in files)}")
    return result
