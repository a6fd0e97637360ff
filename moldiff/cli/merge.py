"""``moldiff merge``: the parts of a library that were docked apart, in one ranking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.options import Force
from moldiff.cli.output import check_output, counted, file_names, files_line, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.errors import InputError

EXAMPLES = (
    "moldiff merge hits.*of4.csv -o hits.sdf",
    "moldiff merge hits.*of4.manifest.jsonl -o hits.parquet",
)


@scriptable(".sdf")
def command(
    parts: Annotated[
        list[Path], typer.Argument(help="What moldiff dock --shard wrote: a file of each part.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Ranked poses (.sdf, a .csv beside), or .parquet."),
    ] = Path("hits.sdf"),
    force: Force = False,
) -> None:
    """Merge the parts of a library that moldiff dock --shard docked, the best ligand first.

    Poses and table are those of one run over the whole library. A part that is missing or not
    finished is said.
    """
    check_output(output, (".sdf", ".parquet"))
    from moldiff.docking.library.merge import manifest_of, merge
    from moldiff.docking.library.table import check_kind

    check_kind(output)
    read = {manifest_of(path) for path in parts}
    if manifest_of(output) in read:
        raise InputError(
            f"--output would overwrite '{output}', a file of one of the parts.",
            fix="Give the merged files a name of their own.",
        )
    parquet = output.suffix.lower() == ".parquet"
    kinds = {
        output.with_suffix(".sdf"): "poses",
        (output if parquet else output.with_suffix(".csv")): "parquet" if parquet else "library",
    }
    check_replaceable(kinds, force=force)
    merged = merge(parts, output)
    for note in merged.notes:
        remark(f"Note: {note}")
    table(
        [
            ("rows", f"{merged.rows} of {counted(len(read), 'part')}"),
            ("docked", f"{merged.docked}"),
            *([("best", merged.best)] if merged.best else []),
            ("files", files_line(merged.files)),
        ],
        data={
            "rows": merged.rows,
            "parts": len(read),
            "docked": merged.docked,
            "files": file_names(merged.files),
        },
    )
