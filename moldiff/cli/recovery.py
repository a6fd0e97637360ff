"""``moldiff benchmark sequences``: native backbones of held-out topologies, designed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import check_output, counted, remark, table
from moldiff.cli.overwrite import check_replaceable

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "moldiff benchmark sequences data/backbones",
    "moldiff benchmark sequences data/backbones --model model.safetensors --domains 100 -o r.csv",
)


def command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared backbones.")],
    model: Annotated[str, typer.Option(help="A sequence model, bundled or a file.")] = "sequence",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Table with a row for each domain.")
    ] = Path("recovery.csv"),
    domains: Annotated[int, typer.Option(min=1, max=10_000_000, help="Domains in all.")] = 300,
    temperature: Annotated[
        float | None, typer.Option(help="Of the designs. [default: the model's, 0.1]")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Sampling steps. [default: the model's]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the designs.")] = 0,
    force: Force = False,
) -> None:
    """Design a sequence for each of some held-out domains, and compare it with the native one.

    Recovery is the share of residues that are as in the native sequence. Perplexity is exp of the
    mean of -log p of the native residues given the backbone, decoded in any order. Intervals are
    those of 95 % over domains, by bootstrap. Interrupted, what is done is shown, and is in the
    table.
    """
    from moldiff.benchmark.recovery import HEADER, recorded, row
    from moldiff.cli.progress import stages
    from moldiff.data.backbones import BackboneStore
    from moldiff.models import load
    from moldiff.sequences.api import check_request, found
    from moldiff.sequences.trials import Trial, trials
    from moldiff.train.workload import validation_sample

    check_output(output, [".csv"])
    check_replaceable({output: "recovery"}, force=force)
    check_request(1, temperature, steps)
    store = BackboneStore.open(data)
    loaded = load(found(model), domain="sequences")
    chains = validation_sample(store, domains).tolist()
    changed = {"temperature": temperature, "steps": steps}
    settings = {key: value for key, value in changed.items() if value is not None}
    done: list[Trial] = []
    interrupted = False
    with stages() as show:
        try:
            runs = trials(loaded, store, chains, settings=settings, seed=seed)
            for trial in recorded(runs, store, output):
                done.append(trial)
                show("designing", len(done), len(chains))
        except KeyboardInterrupt:
            interrupted = True
    table([row(done)] if done else [], header=HEADER, title=f"Sequences for domains of {data}")
    remark(f"Written: {output}")
    if interrupted:
        raise Interrupted(f"Interrupted after {len(done)} of {counted(len(chains), 'domain')}.")
