"""``moldiff generate``: new molecules into a file."""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.bundled import usual_model
from moldiff.cli.failure import Interrupted
from moldiff.cli.options import (
    Imports,
    Precision,
    Precisions,
    conditions,
    import_all,
    temperatures,
)
from moldiff.cli.output import (
    bar,
    check_apart,
    check_output,
    check_positive,
    check_threads,
    counted,
    percent,
    remark,
    table,
)
from moldiff.cli.startup import load_torch
from moldiff.errors import MoldiffError

if TYPE_CHECKING:
    from collections.abc import Callable

    from moldiff.generation.request import Generated
    from moldiff.model import Model

EXAMPLES = (
    "moldiff generate -n 32",
    "moldiff generate -n 1000 --steps 50 --seed 7 -o molecules.sdf",
    "moldiff generate -n 10 --formula C7H8O --filter strict -o isomers.sdf",
    "moldiff generate -n 5 --size 18 --model runs/my/model.safetensors -o my.xyz",
    "moldiff generate -n 100 --sampler multistep --steps 20",
    "moldiff generate --model runs/my/model.safetensors --condition logp=1.5 --guidance 2",
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
        int | None,
        typer.Option(
            min=1, help="Atoms of each molecule, heavy ones if the model folds hydrogens."
        ),
    ] = None,
    formula: Annotated[
        str | None, typer.Option(help="Molecular formula of every molecule, such as C7H8O.")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A property that is wanted, if the model has it (moldiff info MODEL); repeatable.",
        ),
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
    strict validity. Ctrl-C keeps the molecules that are complete.
    """
    from moldiff.io import WRITABLE

    check_output(output, WRITABLE)
    check_positive("--temperature", temperature)
    early = None if early_temperature is None else temperatures(early_temperature)
    wanted = conditions(condition or [])
    check_threads(threads)
    if trajectory is not None:
        check_output(trajectory, (".xyz",))
        check_apart("--trajectory", trajectory, [output])
    load_torch()
    import_all(imports)
    from moldiff.cpu import using_threads
    from moldiff.generation.api import check_conditions, sampler_remarks, stream
    from moldiff.methods import parse_guidance
    from moldiff.models import load
    from moldiff.precision import resolve

    with using_threads(threads):
        loaded = load(usual_model(formula) if model is None else model, device)
        loaded = loaded.replace(precision=resolve(precision, loaded.device))
    guides = parse_guidance(guidance or [])
    for text in check_conditions(loaded, wanted, guides):
        remark(text)
    if sampler is not None:
        for text in sampler_remarks(sampler, loaded):
            remark(text)
    run = _Run(n, output, keep is Filter.strict, trajectory, record)
    run.consume(
        lambda progress: stream(
            n,
            model=loaded,
            threads=threads,
            seed=seed,
            size=size,
            formula=formula,
            keep_valid=run.strict,
            conditions=wanted,
            guidance=guides,
            steps=steps,
            sampler=sampler,
            temperature=temperature,
            early_temperature=early,
            valence=valence,
            # With a filter some of the recorded molecules are not kept: record a few more.
            record=0 if trajectory is None else record * (8 if run.strict else 1),
            progress=progress,
        )
    )
    run.finish(loaded)


def _aim(pairs: list[tuple[float, float]]) -> str:
    """How far the valid molecules are from what was asked for."""
    count = len(pairs)
    mean, error = sum(r for _, r in pairs) / count, sum(abs(r - t) for t, r in pairs) / count
    return f"{mean:.3g} on average; {error:.3g} from the {pairs[0][0]:g} asked for"


class _Run:
    """What is written and counted while molecules arrive."""

    def __init__(
        self, n: int, output: Path, strict: bool, trajectory: Path | None, record: int
    ) -> None:
        self.n, self.output, self.strict = n, output, strict
        self.trajectory, self.record = trajectory, record
        self.recorded: list[Generated] = []
        self.failures: Counter[str] = Counter()
        self.smiles: set[str] = set()
        self.reached: dict[str, list[tuple[float, float]]] = {}
        self.written = self.valid = 0
        self.drawn = 0.0
        self.start = time.perf_counter()

    def consume(self, source: Callable[[Callable[[float], None]], object]) -> None:
        """Write the molecules as they come; Ctrl-C and full disks keep the complete ones."""
        from moldiff.io import Writer

        try:
            with Writer(self.output) as writer, bar("{task.fields[note]}") as shown:
                line = shown.add_task("generating", total=self.n, note="")

                def progress(amount: float) -> None:
                    self.drawn += amount
                    note = f"{self.drawn / (time.perf_counter() - self.start):.1f}/s"
                    if self.strict:
                        note += f", {self.written} of {self.n} found"
                    ahead = round(self.drawn) + self.n - self.written
                    total = max(self.n, ahead) if self.strict else self.n
                    shown.update(line, completed=self.drawn, total=total, note=note)

                for item in source(progress):  # type: ignore[attr-defined]
                    name = f"moldiff-{item.tags['seed']}-{writer.count + 1}"
                    writer.write(item.mol, item.tags, name)
                    self.count(item)
                if writer.count < self.n:
                    raise self.shortage()
        except KeyboardInterrupt:
            verb = "is" if self.n == 1 else "are"
            kept = f"{self.written} of {counted(self.n, 'molecule')} {verb} complete"
            where = f" and in {self.output}." if self.written else "; nothing was written."
            raise Interrupted(f"Interrupted: {kept}{where}") from None

    def count(self, item: Generated) -> None:
        """Take one written molecule into the statistics."""
        from moldiff.chem import reason_kind

        self.written += 1
        self.valid += item.failure is None
        if item.failure is None:
            self.smiles.add(item.tags["SMILES"])
            for tag in (tag for tag in item.tags if tag.startswith("reached_")):
                name = tag.removeprefix("reached_")
                pair = float(item.tags[f"target_{name}"]), float(item.tags[tag])
                self.reached.setdefault(name, []).append(pair)
        else:
            self.failures[reason_kind(item.failure)] += 1
        if self.trajectory is not None and len(self.recorded) < self.written <= self.record:
            self.recorded.append(item)

    def shortage(self) -> MoldiffError:
        """Why there are fewer molecules than asked for."""
        where = f"; they are in {self.output}" if self.written else ", nothing was written"
        return MoldiffError(
            f"Only {self.written} of {round(self.drawn)} molecules drawn are strictly valid, "
            f"{self.n} were asked for{where}.",
            fix="Use a better model or more --steps, or leave out --filter.",
        )

    def finish(self, model: Model) -> None:
        """Write the trajectory and print the closing table."""
        from moldiff.precision import recorded

        seconds = time.perf_counter() - self.start
        rows: list[tuple[str, str]] = [
            ("molecules", f"{self.written}"),
            ("strictly valid", percent(self.valid, self.written)),
            ("distinct among them", percent(len(self.smiles), self.valid)),
        ]
        rows += [(name, _aim(pairs)) for name, pairs in self.reached.items()]
        if self.strict:
            rows.append(("drawn", f"{round(self.drawn)}"))
        rows += [(f"  fails: {why}", f"{k}") for why, k in self.failures.most_common(4)]
        rows.append(("seconds", f"{seconds:.1f} ({self.drawn / seconds:.1f} molecules/s)"))
        if used := recorded(model.precision):
            rows.append(("precision", used))
        if not model.network.symmetry.equivariant:
            rows.append(("network", model.network.symmetry.label))
        rows.append(("file", f"{self.output}"))
        if self.trajectory is not None:
            rows.append(("trajectory", self.write_trajectory(model)))
        table(rows)

    def write_trajectory(self, model: Model) -> str:
        """Write the recorded trajectories; return what to say about it."""
        from moldiff.generation.api import trajectories
        from moldiff.view import write_trajectories

        assert self.trajectory is not None
        recorded = trajectories(self.recorded, model)
        if not recorded:
            remark("None of the molecules that were kept has been recorded; try another --seed.")
            return "none"
        write_trajectories(self.trajectory, recorded)
        return f"{self.trajectory} ({len(recorded)} of {counted(self.written, 'molecule')})"
