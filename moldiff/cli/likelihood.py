"""``moldiff likelihood``: a model's bound on the log-likelihood of molecules.

Docking has evidence of the same name, a log-likelihood ratio of distances that tells nothing of a
molecule's density (`moldiff.docking.judge.evidence`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.options import AsJson, Force, Imports, import_all
from moldiff.cli.output import (
    check_apart,
    check_output,
    check_threads,
    commonest,
    counted,
    remark,
    table,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.progress import stages
from moldiff.cli.records import Readable
from moldiff.cli.requests import Device, Threads
from moldiff.cli.startup import load_torch
from moldiff.errors import MoldiffError

if TYPE_CHECKING:
    from moldiff.generation.bound import Likelihood
    from moldiff.io import Record
    from moldiff.model import Model

EXAMPLES = (
    "moldiff likelihood molecules.sdf",
    "moldiff likelihood molecules.sdf --steps 1000 -o likelihood.json",
    "moldiff likelihood my.sdf --model runs/my/model.safetensors",
)

_SHOWN = 20  # molecules in the table; the JSON has all
_KINDS = 6  # kinds of reasons in the closing line


def command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Molecules with coordinates and hydrogens: .sdf ..."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write all rows and terms here too (.json)."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="A bundled model (moldiff info) or a model file.")
    ] = "qm9",
    steps: Annotated[
        int,
        typer.Option(min=2, max=100_000, help="Steps of the chain: slower, and a tighter bound."),
    ] = 256,
    seed: Annotated[int, typer.Option(help="Same seed, same figures.")] = 0,
    device: Device = "cpu",
    threads: Threads = 1,
    imports: Imports = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Print the variational bound on log p of molecules, in nats, and what it is made of.

    The bound (ELBO) is below the log-likelihood, a density of the atoms' coordinates in Å times
    the probability of elements, charges, bonds and size. The columns are its terms, on -log p:
    they add up to minus the bound. What the model cannot make gets a row with the reason. Records
    that say another model made them are noted.
    """
    piping = as_json or str(output) == "-"
    if output is not None and str(output) != "-":
        check_output(output, (".json",))
        check_apart("--output", output, [file])
        check_replaceable({output: "likelihood"}, force=force)
    check_threads(threads)
    records = list(Readable(file))
    load_torch()
    import_all(imports)
    from moldiff.cpu import set_threads
    from moldiff.generation.bound import bounds, to_json
    from moldiff.models import load

    set_threads(threads)
    loaded = load(model, device)
    with stages() as show:
        rows = bounds(
            records,
            loaded,
            steps=steps,
            seed=seed,
            progress=lambda done, total: show("evaluations", done, total),
        )
    name = f"{loaded.card.get('name', 'unnamed')} {loaded.digest}"
    note = _of_others(records, loaded)
    if note:
        remark(f"Note: {note}")
    settings = {"file": str(file), "model": name, "steps": steps, "seed": seed}
    if output is not None and str(output) != "-":  # before the table: a pipe may close
        from moldiff.text import replace_text

        replace_text(output, to_json(rows, settings) + "\n")
    if piping:
        print(to_json(rows, settings))
    else:
        _print(rows)
        if output is not None:
            remark(f"The report is in {output}.")
    if not any(row.elbo is not None for row in rows):
        fix = "Give molecules as the model makes them, with coordinates and all hydrogens."
        if note:
            fix = "Their field <model> names the model that made them: give it as --model."
        raise MoldiffError(f"None of the {counted(len(rows), 'record')} has a bound.", fix=fix)


def _of_others(records: Sequence[Record], model: Model) -> str:
    """What to say of records that name another model than this one as their maker."""
    others = [
        record.tags["model"]
        for record in records
        if record.tags.get("model", model.digest).split()[-1:] != [model.digest]
    ]
    if not others:
        return ""
    models = commonest(dict(Counter(others).most_common()), _KINDS)
    return (
        f"{len(others)} of {counted(len(records), 'record')} are by their field <model> of another "
        f"model: {models}; the bounds are those of {model.card.get('name', 'unnamed')}"
    )


def _print(rows: list[Likelihood]) -> None:
    """Print the first molecules, the mean over all, and the reasons for missing bounds."""
    from moldiff.generation.bound import mean_terms

    mean = mean_terms(rows)
    columns = list(mean)
    drawn = [_cells(row, columns) for row in rows[:_SHOWN]]
    if len(rows) > _SHOWN:
        drawn.append((f"... {counted(len(rows) - _SHOWN, 'more molecule')}",))
    bounded = [row for row in rows if row.elbo is not None]
    if bounded:
        drawn.append((f"mean of {len(bounded)}", "", *(f"{mean[c]:.2f}" for c in columns)))
    names = ("molecule", "atoms", *("ELBO" if c == "elbo" else c for c in columns))
    table(drawn, header=names, title=f"{counted(len(rows), 'molecule')}, nats")
    reasons = Counter(row.reason for row in rows if row.reason is not None)
    if reasons:
        kinds = commonest(dict(reasons.most_common()), _KINDS)
        print(f"No bound: {kinds}")


def _cells(row: Likelihood, columns: list[str]) -> tuple[str, ...]:
    if row.elbo is None:
        return row.name, str(row.atoms), *(["-"] * len(columns))
    sums = {f: math.fsum(parts.values()) for f, parts in row.terms.items()} | {"elbo": row.elbo}
    return row.name, str(row.atoms), *(f"{sums[c]:.2f}" for c in columns)
