"""What ``moldiff design pocket`` shows while designs arrive, what it writes, and its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.cli.failure import Interrupted
from moldiff.cli.output import bar, counted, percent, table
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.design.pockets import Bench, Budget, Design, Outcome

__all__ = ["collect", "display", "finish"]

_SHOWN = 10  # designs in the closing table


@contextmanager
def display(number: int, seconds: float | None) -> Iterator[tuple[Any, Any]]:
    """Give a function for the stage, and one for how far the designs are, by number or time."""
    with bar("{task.fields[note]}") as shown:
        line = shown.add_task("preparing", total=None, note="")

        def show(stage: str) -> None:
            shown.update(line, description=stage)

        def tell(done: float, used: float, note: str) -> None:
            total, part = (number, done) if seconds is None else (seconds, min(used, seconds))
            shown.update(line, description="designing", total=total, completed=part, note=note)

        yield show, tell


def collect(
    bench: Bench,
    n: int,
    clock: Budget,
    tell: Callable[[float, float, str], None],
    options: dict[str, Any],
) -> tuple[list[Design], bool]:
    """The designs that are complete in the end, and whether Ctrl-C was the end."""
    designs: list[Design] = []
    drawn = 0.0

    def progress(amount: float) -> None:
        nonlocal drawn
        drawn += amount
        passing = sum(design.reason is None for design in designs)
        tell(drawn, clock.used, f"{len(designs)} made, {passing} pass")

    try:
        for design in bench.designs(n, clock, **options, progress=progress):
            designs.append(design)
    except KeyboardInterrupt:
        if not designs:
            raise Interrupted("Interrupted: nothing was written.") from None
        return designs, True
    return designs, False


def finish(
    bench: Bench, outcome: Outcome, output: Path, page: Path | None, pick: int | None, seed: int
) -> None:
    """Write the files, and say what came of it."""
    chosen = outcome.picked(pick, seed)
    files = outcome.write(output, chosen)
    if page is not None and chosen:
        from moldiff.docking.api import write_page

        write_page(page, bench.site, output, bench.ligand, title="Designs")
        files.append(page)
    if chosen:
        _show(outcome, chosen[:_SHOWN])
    valid = sum(d.sample.failure is None for d in outcome.designs)
    kept = sum(d.tags.get("part_kept") == "yes" for d in outcome.designs)
    settled = sum(d.settled is not None for d in outcome.designs)
    rows = [
        ("starts", ", ".join(start.name for start in bench.starts)),
        ("designs", f"{len(outcome.designs)}"),
        ("strictly valid", percent(valid, len(outcome.designs))),
        ("part kept exactly", f"{kept} of {settled} that were settled"),
        ("pass all checks, once each", percent(len(outcome.kept), len(outcome.designs))),
        *((f"  rejected: {why}", f"{k}") for why, k in outcome.reasons.most_common(4)),
    ]
    if outcome.reference is not None:
        note = f"{outcome.reference.energy:.2f} kcal/mol; {outcome.better} designs are below it"
        rows.append(("pocket's ligand, minimised in place", note))
    rows += [("seconds", f"{outcome.seconds:.1f}"), ("files", ", ".join(map(str, files)))]
    table(rows)
    if not chosen:
        what = "design was made" if not outcome.designs else "design passes the checks"
        raise InputError(
            f"No {what}; the table is {files[1]}.",
            fix="Give more time or a larger -n, another part, or fewer atoms by --add.",
        )


def _show(outcome: Outcome, designs: tuple[Design, ...]) -> None:
    rows = []
    for rank, design in enumerate(designs, start=1):
        settled = design.settled
        energy, score = (settled.energy, settled.score) if settled else (0.0, 0.0)
        heavy = design.sample.mol.GetNumHeavyAtoms()
        rows.append((f"{rank}", f"{energy:.2f}", f"{score:.1f}", f"{heavy}", design.smiles))
    header = ["rank", "kcal/mol", "score", "heavy atoms", "SMILES"]
    table(rows, header=header, title=f"The best of {counted(len(outcome.kept), 'design')}")
