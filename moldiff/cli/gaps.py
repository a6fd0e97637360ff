"""``moldiff benchmark gaps``: loops cut out of held-out chains, and built again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import check_output, counted, files_line, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from moldiff.benchmark.gaps.methods import Attempt

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "moldiff benchmark gaps data/backbones",
    "moldiff benchmark gaps data/backbones --model model.safetensors --gaps 300 -o gaps.csv",
    "moldiff benchmark gaps data/mine --trained-on data/backbones --lengths 8",
    "moldiff benchmark gaps data --methods moldiff,pdbfixer --python pdbfixer=env/bin/python",
)


def command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared backbones.")],
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME,...", help="moldiff, complete, pdbfixer, promod3, promod3-mc, crystal."
        ),
    ] = "moldiff",
    model: Annotated[str, typer.Option(help="A backbone model, bundled or a file.")] = "backbones",
    python: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROGRAM=PATH",
            help="Python that has pdbfixer or promod3; may be given for both.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Table with a row for each gap and method.")
    ] = Path("gaps.csv"),
    count: Annotated[int, typer.Option("--gaps", min=1, max=10_000_000, help="Gaps in all.")] = 150,
    lengths: Annotated[
        str, typer.Option(metavar="N,...", help="Missing residues; lengths take turns.")
    ] = "4,8,12",
    ensemble: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Conformations of each gap.")
    ] = 10,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="Sampling steps. [default: the model's]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the conformations.")] = 0,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Data of the training: shows gaps apart by how alike its closest chain is "
            "(program mmseqs).",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Cut loops out of held-out chains, and build them again, by one method or by several.

    Errors are root mean square distances of N, CA, C and O from the crystal structure, not
    superposed. The chains have backbone atoms only. moldiff is the model's likeliest conformation,
    complete what moldiff complete builds; promod3-mc takes no fragments from ProMod3's database;
    crystal is the native structure. Interrupted, what is done is shown, and is in the table.
    """
    from moldiff.benchmark.gaps.identity import closest
    from moldiff.benchmark.gaps.methods import Settings, attempts
    from moldiff.benchmark.gaps.report import recorded
    from moldiff.cli.progress import stages
    from moldiff.completion.trials import cuts
    from moldiff.data.backbones import BackboneStore
    from moldiff.models import load
    from moldiff.train.workload import validation_sample

    check_output(output, [".csv"])
    check_replaceable({output: "gaps"}, force=force)
    sizes, named = _lengths(lengths), _methods(methods)
    pythons, store = _pythons(python or [], named), BackboneStore.open(data)
    settings = Settings(load(model, domain="backbones"), pythons, ensemble, steps, seed)
    gaps = list(cuts(store, validation_sample(store, count).tolist(), sizes))
    alike = None
    if trained_on is not None:
        remark(f"Comparing the chains with those of {trained_on} by mmseqs ...")
        alike = closest(gaps, BackboneStore.open(trained_on))
    done: list[Attempt] = []
    interrupted = False
    with stages() as show:
        try:
            runs = attempts(named, gaps, settings)
            for attempt in recorded(runs, store, output, draws=ensemble, identities=alike):
                done.append(attempt)
                show("building gaps", len(done), len(named) * len(gaps))
        except KeyboardInterrupt:
            interrupted = True
    _show(done, data, ensemble, alike)
    remark(f"Written: {files_line([output])}")
    if interrupted:
        total = counted(len(named) * len(gaps), "gap")
        raise Interrupted(f"Interrupted after {len(done)} of {total}.")


def _show(
    done: Sequence[Attempt], data: Path, draws: int, alike: Mapping[int, float] | None
) -> None:
    from moldiff.benchmark.gaps import conformations, report

    trials = [attempt.trial for attempt in done if attempt.trial is not None]
    if trials:
        title = f"Gaps of {data}, {counted(draws, 'conformation')} each"
        table(conformations.rows(trials), header=conformations.HEADER, title=title, key="drawn")
        print("  Medians: of the first conformation of each gap, of all, of the best.")
    separation = conformations.separation(trials)
    if separation.low is not None and separation.high is not None:
        print(
            "  The spread of the conformations tells whether the first is within 2 Å: AUC "
            f"{separation.value:.2f} (95 % {separation.low:.2f} to {separation.high:.2f})."
        )
    table(report.rows(done), header=report.HEADER, title="What is built first", key="first")
    for name, those in report.grouped(done, alike) if alike is not None else ():
        title = f"Sequence identity to the closest chain trained on: {name}"
        table(report.rows(those), header=report.HEADER, title=title, key=f"identity {name}")
    print("  off: median, with its 95 % interval. C-N: how much the worst bond is off 1.329 Å;")
    print("  closed: at most 0.02 Å. D: D-amino acids. cis: peptides not before prolines.")
    print("  moved: given residues that are more than 0.1 Å from where they were.")
    for line in report.failures(done):
        print(f"  Not built: {line}.")


def _methods(text: str) -> list[str]:
    from moldiff.benchmark.gaps.methods import METHODS

    named = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in named:
        if name not in METHODS:
            raise InputError(f"There is no method '{name}'.", fix=did_you_mean(name, METHODS))
    return named


def _pythons(texts: Sequence[str], named: Sequence[str]) -> dict[str, str]:
    """The interpreters by program; each has the program, and every method its own."""
    from moldiff.benchmark.gaps.peers import PEERS

    pythons = {}
    for text in texts:
        program, _, path = text.partition("=")
        programs = list(dict.fromkeys(peer.program for peer in PEERS.values()))
        if program not in programs or not path:
            raise InputError(
                f"--python '{text}' is not a program and the Python that has it.",
                fix=f"Programs are {' and '.join(programs)}: --python pdbfixer=env/bin/python.",
            )
        pythons[program] = path
    for peer in (PEERS[name] for name in named if name in PEERS):
        if peer.program not in pythons:
            raise InputError(
                f"{peer.program} runs in an interpreter of its own.",
                fix=f"{peer.install}. Then give --python {peer.program}=PATH.",
            )
        peer.check(pythons[peer.program])
    return pythons


def _lengths(text: str) -> tuple[int, ...]:
    from moldiff.domain.backbones import LONGEST

    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 0 < int(word) <= LONGEST for word in words):
        raise InputError(
            f"--lengths {text} is not a list of numbers from 1 to {LONGEST}.",
            fix="For example --lengths 4,8,12.",
        )
    return tuple(dict.fromkeys(int(word) for word in words))
