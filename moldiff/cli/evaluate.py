"""``moldiff evaluate``: what molecules are worth, beside the data's own row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.output import bar, check_output, print_wide, remark

EXAMPLES = (
    "moldiff evaluate molecules.sdf",
    "moldiff evaluate a.sdf b.xyz -o report.json",
    "moldiff evaluate big.sdf --posebusters 500 --relax 0 --jobs 4",
    "moldiff evaluate mine.sdf --reference none --any-charge",
)


def command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Molecules: .sdf, .mol, .mol2, .xyz, .smi, .json."),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report here too (.json).")
    ] = None,
    posebusters: Annotated[
        int, typer.Option(min=0, help="Molecules for PoseBusters at most; 0 leaves it out.")
    ] = 1000,
    relax: Annotated[
        int, typer.Option(min=0, help="Molecules to relax at most; 0 leaves it out.")
    ] = 1000,
    reference: Annotated[
        str, typer.Option(help="Training data for novelty and distributions: qm9 or none.")
    ] = "qm9",
    any_charge: Annotated[
        bool, typer.Option("--any-charge", help="Ions may be strictly valid too.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Measure molecules of any generator.

    Validity, stability, uniqueness, novelty, strain, distributions, beside the data's own row.

    The files may lack bonds (.xyz): they are then inferred. Broken records count as failures.
    """
    if output is not None:
        check_output(output, (".json",))
    from moldiff.metrics.evaluation import evaluate

    with bar("{task.completed} of {task.total}") as shown:
        stages: dict[str, int] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = int(shown.add_task(stage, total=total))
            shown.update(stages[stage], completed=done)  # type: ignore[arg-type]

        report = evaluate(
            files,
            reference=None if reference == "none" else reference,
            posebusters=posebusters,
            relax=relax,
            net_charge=None if any_charge else 0,
            jobs=jobs,
            progress=progress,
        )
    if output is not None:  # before the table: a closed pipe must not lose the report
        from moldiff.view.trajectory import replace_text

        replace_text(output, report.to_json())
    print_wide(report.table())
    reasons = ", ".join(f"{why} ({n})" for why, n in report.failures["graph"].items())
    if reasons:
        print(f"Not strictly valid: {reasons}")
    if output is not None:
        remark(f"The report is in {output}.")
