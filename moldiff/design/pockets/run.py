"""Designs one after another: start, size, molecules, settled and judged, until time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np

from moldiff.design.api import possible, stream
from moldiff.design.pockets.settle import Settled, Settler
from moldiff.design.pockets.starts import Start
from moldiff.design.proof import prove
from moldiff.diffusion.guidance import guidances
from moldiff.errors import InputError
from moldiff.generation.api import Guidances, Options
from moldiff.generation.request import Generated, Size
from moldiff.model import Model
from moldiff.text import numbers_of

__all__ = ["GUIDANCE", "Budget", "Design", "run"]

GUIDANCE = "surroundings"
_BATCH = 8  # molecules of one start and size, made together


@dataclass(frozen=True, eq=False)
class Design:
    """A molecule that was made, and what became of it.

    Attributes
    ----------
    sample:
        As generated, with its provenance.
    settled:
        In its pose; None if it was not tried or could not be.
    reason:
        Why it is rejected, or None.
    start:
        Which part it was grown from.
    tags:
        Proof that the part is where it was, of the settled molecule.
    """

    sample: Generated
    start: str
    settled: Settled | None = None
    reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def smiles(self) -> str:
        """Canonical SMILES; empty for what is not valid."""
        return self.sample.tags.get("SMILES", "")

    @property
    def score(self) -> float:
        """Docking's score; lowest for what has none."""
        return -np.inf if self.settled is None else self.settled.score


class Budget:
    """Wall time in seconds that may be used, from the moment it is made; None: any."""

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        if seconds is not None and not 0 < seconds < float("inf"):
            raise InputError(f"A budget of {seconds:g} s is no time to work in.", fix="Try 600.")
        self.seconds, self.clock, self._start = seconds, clock, clock()

    @property
    def used(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self._start

    def spent(self) -> bool:
        """Whether time is up."""
        return self.seconds is not None and self.used >= self.seconds


class _Spent(Exception):
    """Time is up in the middle of a batch."""


def run(
    starts: Sequence[Start],
    settler: Settler,
    maker: Model,
    n: int,
    budget: Budget,
    *,
    add: Size | str = None,
    batch: int = _BATCH,
    **options: Unpack[Options],
) -> Iterator[Design]:
    """Yield n designs, or those for which there is time; starts take turns.

    What time is up for is left out, at most a batch; everything else comes.

    Parameters
    ----------
    starts:
        At least one.
    settler:
        Of the pocket.
    maker:
        The model, loaded.
    add:
        Heavy atoms that are added; by default what each start says.
    batch:
        Molecules that are made together, of one start and size.
    options:
        As for `moldiff.generate`; the guidance ``surroundings`` always applies unless it is set.
    """
    seed, total, progress = options.get("seed", 0), 0, options.get("progress")
    options["guidance"] = _guided(options.get("guidance"))

    def watch(amount: float) -> None:
        if progress is not None:
            progress(amount)
        if budget.spent():
            raise _Spent

    for turn in range(n):
        if total >= n or budget.spent():
            return
        start, count = starts[turn % len(starts)], min(batch, n - total)
        random = np.random.default_rng([abs(seed), turn])
        # What is made together has one size.
        size = int(random.choice(possible(start.task, add, options.get("size"), maker)))
        changed: Any = {**options, "seed": int(random.integers(1 << 31)), "progress": watch}
        try:
            for item in stream(start.task, count, **{**changed, "model": maker, "size": size}):
                total += 1
                yield _design(item, start, settler)
                if budget.spent():
                    return
        except _Spent:
            return


def _guided(guidance: Guidances | None) -> list[Mapping[str, Any]]:
    listed = guidances({} if guidance is None else {"guidance": guidance})
    parts: list[Mapping[str, Any]] = list(listed)
    known = {part["name"] for part in parts}
    return parts if GUIDANCE in known else [*parts, {"name": GUIDANCE}]


def _design(item: Generated, start: Start, settler: Settler) -> Design:
    """Settle a molecule and prove again that it has its part."""
    if item.failure is not None:
        return Design(item, start.name, reason=item.failure)
    scaffold = start.task.part.scaffold
    settled = settler(item.mol, range(scaffold.size), seed=int(item.tags["seed"]))
    if isinstance(settled, str):
        return Design(item, start.name, reason=settled)
    points = [number - 1 for number in numbers_of(item.tags["attachments"]) or ()]
    proof = prove(settled.mol, scaffold, points)
    tags = {"kept": proof.line, "part_kept": "no" if proof.failure else "yes"}
    reason = proof.failure
    if reason is None and settled.failed:
        reason = f"fails {', '.join(settled.failed)}"
    return Design(item, start.name, settled, reason, tags)
