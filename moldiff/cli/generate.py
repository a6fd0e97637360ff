"""``moldiff generate``: new molecules into a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.bundled import usual_model
from moldiff.cli.generating import Run
from moldiff.cli.options import (
    Alerts,
    Imports,
    Method,
    NovelTo,
    Picked,
    PickedBy,
    Precision,
    Precisions,
    SeenRings,
    Where,
    conditions,
    criteria,
    import_all,
    picking,
    sizes,
    symbols,
    temperatures,
)
from moldiff.cli.output import (
    check_apart,
    check_output,
    check_positive,
    check_threads,
    remark,
)
from moldiff.cli.progress import stages
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.chem.picking import Pick
    from moldiff.filtering.criteria import Criteria
    from moldiff.filtering.sieve import Sieve
    from moldiff.generation.api import Guidances
    from moldiff.generation.demands import Demands
    from moldiff.model import Model

EXAMPLES = (
    "moldiff generate -n 32",
    "moldiff generate -n 1000 --steps 50 --seed 7 -o molecules.sdf",
    "moldiff generate -n 10 --formula C7H8O --filter strict -o isomers.sdf",
    "moldiff generate -n 5 --size 18 --model runs/my/model.safetensors -o my.xyz",
    "moldiff generate -n 100 --sampler multistep --steps 20",
    "moldiff generate --model runs/my/model.safetensors --condition logp=1.5 --guidance 2",
    "moldiff generate -n 20 --without F --size 7..9",
    "moldiff generate --model my.safetensors --prompt 'two aromatic rings, logP below 3, no Br'",
    "moldiff generate --prompt help",
    "moldiff generate -n 200 --model druglike --where 'qed>0.6 & sa<4' --alerts pains --pick 20",
    "moldiff generate -n 1 --trajectory denoising.xyz -o one.sdf",
)


class Filter(StrEnum):
    """What may be kept."""

    none = "none"
    strict = "strict"


def command(
    n: Annotated[
        int, typer.Option("-n", "--number", min=1, max=10_000_000, help="How many molecules.")
    ] = 32,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Where to: .sdf, .smi, .xyz or .json; replaced."),
    ] = Path("molecules.sdf"),
    model: Annotated[
        str | None,
        typer.Option(
            help="A bundled model (moldiff info) or a model file. "
            f"[default: {usual_model()}; with --formula: {usual_model('')}]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same molecules.")] = 0,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Sampling steps: slower, better. [default: the model's]"),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Another sampler: ddim, heun,s_churn=2, ... (moldiff methods), or a stepper of "
            "your own (--import). "
            "[default: the model's]"
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|LOW..HIGH",
            help="Atoms of each molecule, heavy ones if the model folds hydrogens.",
        ),
    ] = None,
    formula: Annotated[
        str | None, typer.Option(help="Molecular formula of every molecule, such as C7H8O.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What is wanted, in words, as in 'two aromatic rings, logP below 3, no bromine'; "
            "'help' prints the grammar."
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A property that is wanted, if the model has it (moldiff info MODEL): logp=1.5, "
            "'logp<3' or tpsa=60..90; repeatable.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ELEMENTS", help="Elements that no molecule may have: Br,I; repeatable."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ELEMENTS", help="The only elements besides H: C,N,O; repeatable."),
    ] = None,
    guidance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER|NAME,KEY=VALUE",
            help="How sharply to aim at --condition (1: as the data do), or a guidance with "
            "settings, as in valence,below=0.6; repeatable. [default: the model's]",
        ),
    ] = None,
    keep: Annotated[
        Filter,
        typer.Option("--filter", help="strict: draw on until N strictly valid ones are found."),
    ] = Filter.none,
    where: Where = None,
    alerts: Alerts = None,
    seen_rings: SeenRings = None,
    novel_to: NovelTo = None,
    pick: Picked = None,
    pick_by: PickedBy = Method.maxmin,
    temperature: Annotated[
        float | None,
        typer.Option(help="Below 1: more valid, less diverse. [default: the model's]"),
    ] = None,
    early_temperature: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER or FIELD=NUMBER",
            help="The same for the first steps, as in 4 or bonds=6; above 1: more novel. "
            "[default: the model's; with --temperature: the same]",
        ),
    ] = None,
    valence: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Time from which on the bonds of an atom are made to agree about its valence; "
            "1: always, 0: never. [default: the model's]",
        ),
    ] = None,
    trajectory: Annotated[
        Path | None,
        typer.Option(help="Also write how the first molecules formed, as multi-frame .xyz."),
    ] = None,
    record: Annotated[
        int, typer.Option(min=1, help="How many molecules --trajectory records.")
    ] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")] = "cpu",
    precision: Precisions = Precision.float32,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one operation.")] = 1,
    imports: Imports = None,
) -> None:
    """Generate molecules: coordinates, elements, bonds and charges.

    Every molecule is written with its provenance (model, hash, seed, version) and with its
    strict validity, in the order they are drawn: the first 10 of a seed are the same with -n 10
    and -n 1000. Ctrl-C keeps the molecules that are complete.

    With --where, --alerts, --seen-rings, --novel-to or --pick, N molecules are drawn and those
    written that are strictly valid and pass; a table beside them (.csv) has all, with the reasons
    of rejection.
    """
    from moldiff.io import WRITABLE

    if prompt == "help":
        return _show_grammar()
    check_output(output, WRITABLE)
    check_positive("--temperature", temperature)
    early = None if early_temperature is None else temperatures(early_temperature)
    said: dict[str, Any] = {
        "prompt": prompt,
        "conditions": conditions(condition or []),
        "size": sizes(size),
    }
    said |= {"without": symbols(without), "only": symbols(only)}
    check_threads(threads)
    if trajectory is not None:
        check_output(trajectory, (".xyz",))
        check_apart("--trajectory", trajectory, [output])
    choice = picking(pick, pick_by, seed)
    asked = criteria(where, alerts, seen_rings, novel_to)
    sieve = _sieve(output, asked, choice, trajectory) if asked or choice else None
    load_torch()
    import_all(imports)
    from moldiff.cpu import using_threads
    from moldiff.generation.api import sampler_remarks, stream
    from moldiff.methods import parse_guidance
    from moldiff.models import load
    from moldiff.precision import resolve

    with using_threads(threads):
        loaded = load(usual_model(formula) if model is None else model, device)
        loaded = loaded.replace(precision=resolve(precision, loaded.device))
    guides = parse_guidance(guidance or [])
    demands = _demands(loaded, said, guides)
    if sampler is not None:
        for text in sampler_remarks(sampler, loaded):
            remark(text)
    run = Run(n, output, keep is Filter.strict, trajectory, record, demands, sieve)
    run.consume(
        lambda progress: stream(
            n,
            model=loaded,
            threads=threads,
            seed=seed,
            size=demands.size,
            formula=formula,
            keep_valid=run.strict,
            conditions=demands.conditions,
            without=demands.without,
            guidance=guides,
            steps=steps,
            sampler=sampler,
            temperature=temperature,
            early_temperature=early,
            valence=valence,
            record=0 if trajectory is None else record,
            progress=progress,
        )
    )
    run.finish(loaded)


def _sieve(output: Path, asked: Criteria, pick: Pick | None, trajectory: Path | None) -> Sieve:
    """What stands between what is drawn and what is written."""
    from dataclasses import replace

    from moldiff.filtering.sieve import Sieve

    if trajectory is not None:
        raise InputError(
            "--trajectory shows the first molecules drawn, which filters may reject.",
            fix="Leave it out, or filter afterwards: moldiff filter.",
        )
    with stages() as show:
        # The properties of what is no whole molecule mean little.
        sieve = Sieve(replace(asked, strict=True).judge(show), output, pick)
    known = [Path(source) for source in (*asked.novel_to, asked.seen_rings or "")]
    check_apart("The table of all molecules", sieve.table, known)
    return sieve


def _demands(model: Model, said: dict[str, Any], guides: Guidances | None) -> Demands:
    """What is demanded of the molecules; tells what was understood, and what is rare."""
    from moldiff.generation.demands import check_conditions, demanded

    demands = demanded(model, **said)
    if said["prompt"] is not None:
        remark(f"Understood: {', '.join(demands.lines())}.")
    for text in check_conditions(model, demands.conditions, guides):
        remark(text)
    return demands


def _show_grammar() -> None:
    from moldiff.generation.prompt import help_text

    typer.echo(help_text())
