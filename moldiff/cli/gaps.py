"""``moldiff benchmark gaps``: loops cut out of held-out chains, and built again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import check_output, counted, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.errors import InputError

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "moldiff benchmark gaps data/backbones",
    "moldiff benchmark gaps data/backbones --model model.safetensors --gaps 300 -o gaps.csv",
)


def command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared backbones.")],
    model: Annotated[str, typer.Option(help="A backbone model, bundled or a file.")] = "backbones",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Table with a row for each gap.")
    ] = Path("gaps.csv"),
    count: Annotated[int, typer.Option("--gaps", min=1, max=10_000_000, help="Gaps in all.")] = 150,
    lengths: Annotated[
        str, typer.Option(metavar="N,...", help="Missing residues; lengths take turns.")
    ] = "4,8,12",
    draws: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Conformations of each gap.")
    ] = 10,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="Sampling steps. [default: the model's]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the conformations.")] = 0,
    force: Force = False,
) -> None:
    """Cut loops out of held-out chains, and build them again.

    Errors are root mean square distances of N, CA, C and O from the crystal structure, not
    superposed. Interrupted, what is done is shown, and is in the table.
    """
    from moldiff.benchmark.gaps import HEADER, recorded, rows, separation
    from moldiff.cli.progress import stages
    from moldiff.completion.trials import Trial, trials
    from moldiff.data.backbones import BackboneStore
    from moldiff.models import load
    from moldiff.train.workload import validation_sample

    check_output(output, [".csv"])
    check_replaceable({output: "gaps"}, force=force)
    sizes, store = _lengths(lengths), BackboneStore.open(data)
    loaded = load(model, domain="backbones")
    chains = validation_sample(store, count).tolist()
    done: list[Trial] = []
    interrupted = False
    with stages() as show:
        try:
            runs = trials(loaded, store, chains, lengths=sizes, draws=draws, steps=steps, seed=seed)
            for trial in recorded(runs, store, output):
                done.append(trial)
                show("building gaps", len(done), len(chains))
        except KeyboardInterrupt:
            interrupted = True
    table(rows(done), header=HEADER, title=f"Gaps of {data}, {counted(draws, 'conformation')} each")
    print("  Medians: of the first conformation of each gap, of all, of the best.")
    told = separation(done)
    if told.low is not None and told.high is not None:
        print(
            "  The spread of the conformations tells whether the first is within 2 Å: AUC "
            f"{told.value:.2f} (95 % {told.low:.2f} to {told.high:.2f})."
        )
    remark(f"Written: {output}")
    if interrupted:
        raise Interrupted(f"Interrupted after {len(done)} of {counted(len(chains), 'gap')}.")


def _lengths(text: str) -> tuple[int, ...]:
    from moldiff.domain.backbones import LONGEST

    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 0 < int(word) <= LONGEST for word in words):
        raise InputError(
            f"--lengths {text} is not a list of numbers from 1 to {LONGEST}.",
            fix="For example --lengths 4,8,12.",
        )
    return tuple(dict.fromkeys(int(word) for word in words))
