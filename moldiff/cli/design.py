"""``moldiff design``: molecules around a part that is kept exactly."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.generating import Run, loading
from moldiff.cli.groups import grouped, presented
from moldiff.cli.options import Force, Imports, import_all
from moldiff.cli.output import check_apart, check_output, examples, remark
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.pocket import EXAMPLES as POCKET
from moldiff.cli.pocket import addition
from moldiff.cli.pocket import command as pocket
from moldiff.cli.requests import (
    Filter,
    FilterOption,
    Machine,
    Number,
    SamplerOption,
    Sampling,
    Wishes,
    around_part,
    show_grammar,
)
from moldiff.errors import InputError

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.design.tasks import Task

Scaffold = Annotated[
    str,
    typer.Option(
        metavar="FILE|SMILES",
        help="What is kept: .sdf, .mol, .mol2, or a SMILES; [*:1] marks a point.",
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS|SMARTS",
        help="Points where new bonds begin: atom numbers from 1, as in 7,12, or a SMARTS, of which "
        "each match's first atom is one.",
    ),
]


def grow(scaffold: Scaffold, at: At = None, *, seed: int = 0) -> Task:
    """Grow a scaffold at all of its points, or at one drawn for each molecule."""
    from moldiff.design.tasks import growing

    return growing(_first(scaffold), at, seed=seed)


def link(
    fragments: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Fragments in one frame: .sdf, .mol or .mol2 with two or more; repeatable.",
        ),
    ],
    at: At = None,
    *,
    seed: int = 0,
) -> Task:
    """Link fragments, which keep their poses.

    Atom numbers run on through all fragments. Without --at, one of the three atoms nearest to the
    other fragments is drawn for each molecule.
    """
    from moldiff.design.api import read_parts
    from moldiff.design.tasks import linking

    return linking(read_parts(fragments, all_records=True), at, seed=seed)


def replace(
    ligand: Annotated[
        str, typer.Option(metavar="FILE", help="The molecule: .sdf, .mol, .mol2, or a SMILES.")
    ],
    keep_atoms: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Atoms that stay: 1-6,9.")
    ] = None,
    keep_smarts: Annotated[
        str | None, typer.Option(metavar="SMARTS", help="Atoms that stay: the first match.")
    ] = None,
    *,
    seed: int = 0,
) -> Task:
    """Replace a part of a molecule; the kept atoms have as many bonds to the new ones as before."""
    from moldiff.design.tasks import replacing

    if (keep_atoms is None) == (keep_smarts is None):
        raise InputError(
            "What stays is given by --keep-atoms or by --keep-smarts.", fix="Give one of them."
        )
    return replacing(_first(ligand), keep_atoms or keep_smarts or "", seed=seed)


def decorate(
    scaffold: Scaffold,
    at: At = None,
    points: Annotated[int, typer.Option(min=1, help="Points of each molecule at most.")] = 3,
    *,
    seed: int = 0,
) -> Task:
    """Grow a scaffold at 1 to --points of its points, drawn for each molecule."""
    from moldiff.design.tasks import decorating

    return decorating(_first(scaffold), at, points=points, seed=seed)


EXAMPLES: dict[Callable[..., Task], tuple[str, ...]] = {
    grow: (
        "moldiff design grow --scaffold core.sdf --at 7,12 --add 3..10 -n 200 -o grown.sdf",
        "moldiff design grow --scaffold 'c1ccc([*:1])nc1' --prompt 'logP below 3'",
        "moldiff design grow --scaffold pose.sdf --at '[cH]' --only C,N,O --page grown.html",
    ),
    link: (
        "moldiff design link --fragments frags.sdf --add 4..8 -n 200 -o linked.sdf",
        "moldiff design link --fragments a.sdf --fragments b.sdf --at 3,15",
    ),
    replace: (
        "moldiff design replace --ligand lead.sdf --keep-smarts 'c1ncnc2[nH]ccc12' -o hops.sdf",
        "moldiff design replace --ligand lead.sdf --keep-atoms 1-6,9 --add 4..9",
    ),
    decorate: (
        "moldiff design decorate --scaffold core.sdf --points 2 --add 1..6",
        "moldiff design decorate --scaffold 'c1c([*:1])cc([*:2])nc1' -n 100 --filter strict",
    ),
}


def _carry_out(
    task: Callable[[int], Task],
    *,
    n: Number = 32,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to: .sdf or .json.")] = Path(
        "designs.sdf"
    ),
    page: Annotated[
        Path | None, typer.Option(help="Also an HTML page that shows the kept part.")
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(metavar="NUMBER|LOW..HIGH", help="Heavy atoms that are added."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A bundled model (moldiff info) or a model file.")
    ] = "druglike",
    sampling: Sampling,
    sampler: SamplerOption = None,
    valence: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="As in moldiff generate; it makes points used. [default: 1, always]",
        ),
    ] = None,
    wishes: Wishes,
    keep_valid: FilterOption = Filter.none,
    machine: Machine,
    imports: Imports = None,
    force: Force = False,
) -> None:
    if wishes.prompt == "help":
        return show_grammar()
    check_output(output, (".sdf", ".json"))
    if page is not None:
        check_output(page, (".html", ".htm"))
        check_apart("--page", page, [output])
    files: dict[Path, str | Path] = {output: "grown"}
    check_replaceable(files if page is None else {**files, page: "page"}, force=force)
    chosen, parsed = task(sampling.seed), wishes.parsed()
    from moldiff.design.api import sized

    parsed["size"] = sized(chosen, addition(add), parsed["size"])
    with loading() as show:
        import_all(imports)
        from moldiff.design.api import stream, usable

        loaded = machine.load(model)
        usable(chosen, loaded)
        demands, guides = wishes.demands(loaded, parsed)
        demands = around_part(demands, chosen.part.elements)
        run = Run(n, output, keep_valid is Filter.strict, None, 1, demands)
        run.consume(
            lambda progress: stream(
                chosen,
                n,
                size=demands.size,
                model=loaded,
                threads=machine.threads,
                keep_valid=run.strict,
                conditions=demands.conditions,
                without=demands.without,
                guidance=guides,
                sampler=sampler,
                valence=valence,
                progress=progress,
                **vars(sampling),
            ),
            show,
        )
    run.finish(loaded)
    if page is not None:
        _show(output, page)


def _first(source: str) -> list[Chem.Mol]:
    """The molecule of a SMILES, or the first of a file: the best of the poses of a docking."""
    from moldiff.design.api import read_parts

    molecules = read_parts(source, all_records=True)
    if len(molecules) > 1:
        remark(f"{source}: the first of the {len(molecules)} molecules is taken.")
    return molecules[:1]


def _show(output: Path, page: Path) -> None:
    from moldiff.io import read_molecules
    from moldiff.view import write_html

    write_html(page, read_molecules(output), title=output.name, net_charge=None)
    remark(f"The page is {page}.")


def _command(task: Callable[..., Task]) -> Callable[..., None]:
    """The command of a task: its own options, and those that all tasks share."""
    own, shared = _parameters(task, "seed"), _parameters(_carry_out, "task")

    def command(**options: Any) -> None:
        mine = {name: options.pop(name) for name in own}
        read = [mine.get("scaffold"), mine.get("ligand"), *mine.get("fragments", ())]
        sources = [Path(source) for source in read if source]
        for name in ("output", "page"):
            if options[name] is not None:
                check_apart(f"--{name}", options[name], sources)
        _carry_out(lambda seed: task(**mine, seed=seed), **options)

    presented(command, task, {**own, **shared}.values())
    command.__doc__ = f"{task.__doc__}\n\n{_PROMISE}"
    return grouped(command)


def _parameters(function: Callable[..., Any], without: str) -> dict[str, inspect.Parameter]:
    # "Task" is known to type checkers alone: importing it takes RDKit and torch.
    signature = inspect.signature(function, eval_str=True, locals={"Task": Any})
    return {name: p for name, p in signature.parameters.items() if name != without}


_PROMISE = """    Atoms, bonds, stereo and coordinates of the kept part stay exactly as they are;
    every record proves it, and one that fails says so. A pose keeps its frame. Ctrl-C keeps the
    molecules that are complete."""

app = typer.Typer(no_args_is_help=True, help="Molecules around a part that is kept exactly.")
for _task, _examples in EXAMPLES.items():
    app.command(_task.__name__, epilog=examples(*_examples))(scriptable(".sdf")(_command(_task)))
app.command("pocket", epilog=examples(*POCKET))(scriptable(".sdf")(pocket))
