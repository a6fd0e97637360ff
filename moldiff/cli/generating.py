"""What ``moldiff generate`` writes and counts while molecules arrive, and its closing table."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.cli.failure import Interrupted
from moldiff.cli.options import sifted, sifted_data
from moldiff.cli.output import (
    counted,
    file_names,
    files_line,
    fraction,
    percent,
    remark,
    table,
)
from moldiff.cli.progress import Show, working
from moldiff.cli.startup import load_torch
from moldiff.errors import MoldiffError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moldiff.filtering.sieve import Sieve
    from moldiff.generation.demands import Demands
    from moldiff.generation.request import Generated
    from moldiff.model import Model

__all__ = ["Run", "loading"]


@contextmanager
def loading() -> Iterator[Show]:
    """Give what shows the progress of all from the loading of torch and the model on."""
    with working("loading the model") as show:
        load_torch()
        yield show


class Run:
    """What is written and counted while molecules arrive."""

    def __init__(
        self,
        n: int,
        output: Path,
        strict: bool,
        trajectory: Path | None,
        record: int,
        demands: Demands,
        sieve: Sieve | None = None,
    ) -> None:
        self.n, self.output, self.strict, self.demands = n, output, strict, demands
        self.trajectory, self.record, self.sieve = trajectory, record, sieve
        self.recorded: list[Generated] = []
        self.failures: Counter[str] = Counter()
        self.smiles: set[str] = set()
        self.reached: dict[str, list[float]] = {}
        self.written = self.valid = self.kept = 0
        self.designed = False
        self.drawn = 0.0
        self.start = time.perf_counter()

    def consume(self, source: Callable[[Callable[[float], None]], object], show: Show) -> None:
        """Write the molecules as they come; Ctrl-C and full disks keep the complete ones."""
        from moldiff.io import Writer

        try:
            with self.sieve or Writer(self.output) as writer:

                def progress(amount: float) -> None:
                    self.drawn += amount
                    count = f"{self.written} of {self.n} found" if self.strict else ""
                    ahead = round(self.drawn) + self.n - self.written
                    total = max(self.n, ahead) if self.strict else self.n
                    show("generating", min(int(self.drawn), total), total, count)

                for item in source(progress):  # type: ignore[attr-defined]
                    writer.write(item.mol, item.tags, item.name)
                    self.count(item)
                if writer.count < self.n:
                    raise self.shortage()
        except KeyboardInterrupt:
            verb = "is" if self.n == 1 else "are"
            kept = f"{self.written} of {counted(self.n, 'molecule')} {verb} complete"
            where = (
                f" and in {files_line([self.output])}."
                if self.written
                else "; nothing was written."
            )
            if self.written and self.sieve is not None:
                where = (
                    f", and {self.sieve.outcome.kept} that are kept in {files_line([self.output])}."
                )
            raise Interrupted(f"Interrupted: {kept}{where}") from None

    def count(self, item: Generated) -> None:
        """Take one written molecule into the statistics."""
        from moldiff.chem import reason_kind
        from moldiff.chem.validity import canonical_smiles

        self.written += 1
        self.valid += item.tags["strictly_valid"] == "yes"
        self.designed |= "kept" in item.tags
        self.kept += item.tags.get("part_kept") == "yes"
        if item.failure is None:
            self.smiles.add(canonical_smiles(item.mol) or "")
            for tag in (tag for tag in item.tags if tag.startswith("reached_")):
                name = tag.removeprefix("reached_")
                self.reached.setdefault(name, []).append(float(item.tags[tag]))
        else:
            self.failures[reason_kind(item.failure)] += 1
        if self.trajectory is not None and len(self.recorded) < self.written <= self.record:
            self.recorded.append(item)

    def shortage(self) -> MoldiffError:
        """Why there are fewer molecules than asked for."""
        where = (
            f"; they are in {files_line([self.output])}"
            if self.written
            else ", nothing was written"
        )
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
        if self.designed:
            rows.append(("part kept exactly", percent(self.kept, self.written)))
        rows += self.met(model)
        if self.strict:
            rows.append(("drawn", f"{round(self.drawn)}"))
        rows += [(f"  fails: {why}", f"{k}") for why, k in self.failures.most_common(4)]
        rows += [] if self.sieve is None else sifted(self.sieve)
        rows.append(("seconds", f"{seconds:.1f} ({self.drawn / seconds:.1f} molecules/s)"))
        if used := recorded(model.precision):
            rows.append(("precision", used))
        if not model.network.symmetry.equivariant:
            rows.append(("network", model.network.symmetry.label))
        table_of_all = [] if self.sieve is None else [self.sieve.table]
        files = [self.output, *table_of_all]
        rows.append(("file", files_line(files)))
        if self.trajectory is not None:
            rows.append(("trajectory", self.write_trajectory(model)))
        table(rows, data=self.data(model, seconds, files))

    def data(self, model: Model, seconds: float, files: list[Path]) -> dict[str, Any]:
        """What the closing table says, for programs; the keys do not depend on the molecules."""
        from moldiff.precision import recorded

        return {
            "molecules": self.written,
            "drawn": round(self.drawn),
            "strictly_valid": fraction(self.valid, self.written),
            "distinct": fraction(len(self.smiles), self.valid),
            "part_kept": fraction(self.kept, self.written) if self.designed else None,
            "conditions": list(self.conditions(model)),
            "failures": [{"reason": why, "count": k} for why, k in self.failures.most_common()],
            **sifted_data(self.sieve),
            "seconds": seconds,
            "precision": recorded(model.precision) or "float32",
            "trajectory": None if self.trajectory is None else str(self.trajectory),
            "files": file_names(files),
        }

    def met(self, model: Model) -> Iterator[tuple[str, str]]:
        """Yield each condition, and how many of the molecules meet it."""
        for row in self.conditions(model):
            if row["met"] is None:
                yield row["condition"], "unknown: no property that can be computed"
                continue
            about = f" within {row['within']:.2g}" if row["within"] else ""
            mean = "" if row["mean"] is None else f"; {row['mean']:.3g} on average"
            met = percent(row["met"]["count"], self.written)
            yield row["condition"], f"met{about} by {met}{mean}"

    def conditions(self, model: Model) -> Iterator[dict[str, Any]]:
        """Yield each condition for programs: how many meet it, within what, and the mean."""
        from moldiff.chem.demands import demand_line
        from moldiff.chem.properties import PROPERTIES
        from moldiff.generation.demands import accepted

        for name, interval in accepted(model, self.demands).items():
            wanted = self.demands.conditions[name]
            values = self.reached.get(name, [])
            count = sum(value in interval for value in values)
            yield {
                "condition": demand_line(name, wanted),
                "met": fraction(count, self.written) if name in PROPERTIES else None,
                "within": None if interval == wanted else interval.high - wanted.high,
                "mean": sum(values) / len(values) if values else None,
            }

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
