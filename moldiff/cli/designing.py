"""What ``moldiff design pocket`` shows while designs arrive, what it writes, and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.cli.failure import Interrupted
from moldiff.cli.output import counted, file_names, files_line, fraction, percent, table
from moldiff.cli.progress import Show
from moldiff.errors import MoldiffError

if TYPE_CHECKING:
    from moldiff.design.pockets import Bench, Budget, Design, Outcome

__all__ = ["collect", "finish"]

_SHOWN = 10  # designs in the closing table
_NAMES = ("energy_kcal_mol", "score", "heavy_atoms", "smiles")


def collect(
    bench: Bench,
    n: int,
    clock: Budget,
    seconds: float | None,
    show: Show,
    options: dict[str, Any],
) -> tuple[list[Design], bool]:
    """The designs that are complete in the end, and whether Ctrl-C was the end."""
    designs: list[Design] = []
    drawn = 0.0

    def progress(amount: float) -> None:
        nonlocal drawn
        drawn += amount
        passing = sum(design.reason is None for design in designs)
        done, total = (drawn, n) if seconds is None else (min(clock.used, seconds), seconds)
        show("designing", int(done), int(total), f"{len(designs)} made, {passing} pass")

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
        ("starts", ", ".join(start.name for start in bench.starts) or "whole molecules"),
        ("designs", f"{len(outcome.designs)}"),
        ("strictly valid", percent(valid, len(outcome.designs))),
    ]
    if bench.starts:
        rows.append(("part kept exactly", f"{kept} of {settled} that were settled"))
    rows += [
        ("pass all checks, once each", percent(len(outcome.kept), len(outcome.designs))),
        *((f"  rejected: {why}", f"{k}") for why, k in outcome.reasons.most_common(4)),
    ]
    if outcome.reference is not None:
        note = f"{outcome.reference.energy:.2f} kcal/mol; {outcome.better} designs are below it"
        rows.append(("pocket's ligand, minimised in place", note))
    rows += [("seconds", f"{outcome.seconds:.1f}"), ("files", files_line(files))]
    data = {
        "starts": [start.name for start in bench.starts],
        "designs": len(outcome.designs),
        "strictly_valid": fraction(valid, len(outcome.designs)),
        "part_kept_exactly": fraction(kept, settled) if bench.starts else None,
        "passed": fraction(len(outcome.kept), len(outcome.designs)),
        "reasons": [{"reason": why, "count": k} for why, k in outcome.reasons.most_common()],
        "reference_kcal_mol": None if outcome.reference is None else outcome.reference.energy,
        "below_reference": None if outcome.reference is None else outcome.better,
        "seconds": outcome.seconds,
        "best": [dict(zip(_NAMES, _figures(design), strict=True)) for design in chosen[:_SHOWN]],
        "files": file_names(files),
    }
    table(rows, data=data)
    if not chosen:
        what = "design was made" if not outcome.designs else "design passes the checks"
        where = "".join(f"; the table is {name}" for name in file_names(files[1:2]))
        raise MoldiffError(
            f"No {what}{where}.",
            fix="Give more time or a larger -n, another part, or fewer atoms by --add.",
        )


def _show(outcome: Outcome, designs: tuple[Design, ...]) -> None:
    rows = []
    for rank, design in enumerate(designs, start=1):
        energy, score, heavy, smiles = _figures(design)
        rows.append((f"{rank}", f"{energy:.2f}", f"{score:.1f}", f"{heavy}", smiles))
    title = f"The best of {counted(len(outcome.kept), 'design')}"
    table(rows, header=["rank", "kcal/mol", "score", "heavy atoms", "SMILES"], title=title, data={})


def _figures(design: Design) -> tuple[float, float, int, str]:
    """What the tables tell of a design, as `_NAMES` says."""
    settled = design.settled
    energy, score = (settled.energy, settled.score) if settled else (0.0, 0.0)
    return energy, score, design.sample.mol.GetNumHeavyAtoms(), design.smiles
