"""``moldiff generate``: new molecules into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.bundled import usual_model
from moldiff.cli.generating import Run, loading
from moldiff.cli.groups import grouped
from moldiff.cli.options import Force, Imports, Sifting, import_all, temperatures
from moldiff.cli.output import check_apart, check_output, remark
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import BRIEF, stages
from moldiff.cli.requests import (
    Filter,
    FilterOption,
    Machine,
    Number,
    SamplerOption,
    Sampling,
    Wishes,
    show_grammar,
)
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.chem.picking import Pick
    from moldiff.filtering.criteria import Criteria
    from moldiff.filtering.sieve import Sieve

EXAMPLES = (
    "moldiff generate -n 32",
    "moldiff generate -n 1000 --steps 50 --seed 7 -o molecules.sdf",
    "moldiff generate -n 10 --formula C7H8O --filter strict -o isomers.sdf",
    "moldiff generate -n 1000 --model qm9-skeleton -o small.sdf",
    "moldiff generate -n 5 --size 18 --model runs/my/model.safetensors -o my.xyz",
    "moldiff generate -n 100 --sampler multistep --steps 20",
    "moldiff generate --model runs/my/model.safetensors --condition logp=1.5 --guidance 2",
    "moldiff generate -n 20 --without F --size 20..25",
    "moldiff generate --prompt 'two aromatic rings, logP below 3, no Br' --guidance 2",
    "moldiff generate --prompt help",
    "moldiff generate -n 200 --where 'qed>0.6 & sa<4' --alerts pains --pick 20",
    "moldiff generate -n 1 --trajectory denoising.xyz -o one.sdf",
)


@scriptable(".sdf")
@grouped
def command(
    *,
    n: Number = 32,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Where to: .sdf, .smi, .xyz or .json."),
    ] = Path("molecules.sdf"),
    model: Annotated[
        str | None,
        typer.Option(
            help="A bundled model (moldiff info) or a model file. "
            f"[default: {usual_model()}; with --formula: {usual_model('')}]"
        ),
    ] = None,
    sampling: Sampling,
    early_temperature: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER or FIELD=NUMBER",
            help="The same for the first steps, as in 4 or bonds=6; above 1: more novel. "
            "[default: the model's; with --temperature: the same]",
        ),
    ] = None,
    sampler: SamplerOption = None,
    valence: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Time from which on the bonds of an atom are made to agree about its valence; "
            "1: always, 0: never. [default: the model's]",
        ),
    ] = None,
    formula: Annotated[
        str | None, typer.Option(help="Molecular formula of every molecule, such as C7H8O.")
    ] = None,
    wishes: Wishes,
    keep: FilterOption = Filter.none,
    sifting: Sifting,
    trajectory: Annotated[
        Path | None,
        typer.Option(help="Also write how the first molecules formed, as multi-frame .xyz."),
    ] = None,
    record: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="How many molecules --trajectory records.")
    ] = 1,
    machine: Machine,
    imports: Imports = None,
    force: Force = False,
) -> None:
    """Generate molecules: coordinates, elements, bonds and charges.

    Every molecule is written with its provenance (model, hash, seed, version) and with its
    strict validity, in the order they are drawn: the first 10 of a seed are the same with -n 10
    and -n 1000. Ctrl-C keeps the molecules that are complete.

    With --where, --alerts, --seen-rings, --novel-to or --pick, N molecules are drawn and those
    written that are strictly valid and pass; a table beside them (.csv) has all, with the reasons
    of rejection.
    """
    if wishes.prompt == "help":
        return show_grammar()
    choice, criteria = sifting.choice(sampling.seed), sifting.criteria()
    sifted = criteria if criteria or choice else None
    _check_files(output, trajectory, sifted, force=force)
    early = None if early_temperature is None else temperatures(early_temperature)
    parsed = wishes.parsed()
    sieve = None if sifted is None else _sieve(output, sifted, choice, trajectory)
    with loading() as show:
        import_all(imports)
        from moldiff.generation.api import sampler_remarks, stream

        loaded = machine.load(usual_model(formula) if model is None else model)
        demands, guides = wishes.demands(loaded, parsed)
        if sampler is not None:
            for text in sampler_remarks(sampler, loaded):
                remark(text)
        run = Run(n, output, keep is Filter.strict, trajectory, record, demands, sieve)
        run.consume(
            lambda progress: stream(
                n,
                model=loaded,
                threads=machine.threads,
                size=demands.size,
                formula=formula,
                keep_valid=run.strict,
                conditions=demands.conditions,
                without=demands.without,
                guidance=guides,
                sampler=sampler,
                early_temperature=early,
                valence=valence,
                record=0 if trajectory is None else record,
                progress=progress,
                **vars(sampling),
            ),
            show,
        )
    run.finish(loaded)


def _check_files(
    output: Path, trajectory: Path | None, filters: Criteria | None, *, force: bool
) -> None:
    """Refuse what cannot be written, what is read as well, and what is somebody else's."""
    from moldiff.io import WRITABLE

    check_output(output, WRITABLE)
    files: dict[Path, str | Path] = {output: "molecules"}
    if trajectory is not None:
        check_output(trajectory, (".xyz",))
        check_apart("--trajectory", trajectory, [output])
        files[trajectory] = "trajectory"
    if filters is not None:
        files[output.with_suffix(".csv")] = "table of all"
        for written in (output, output.with_suffix(".csv")):
            check_apart("--output", written, list(filters.sources))
    check_replaceable(files, force=force)


def _sieve(output: Path, filters: Criteria, pick: Pick | None, trajectory: Path | None) -> Sieve:
    """What stands between what is drawn and what is written."""
    from dataclasses import replace

    from moldiff.filtering.sieve import Sieve

    if trajectory is not None:
        raise InputError(
            "--trajectory shows the first molecules drawn, which filters may reject.",
            fix="Leave it out, or filter afterwards: moldiff filter.",
        )
    with stages(BRIEF) as show:
        # The properties of what is no whole molecule mean little.
        sieve = Sieve(replace(filters, strict=True).judge(show), output, pick)
    return sieve
