"""Designs one after another, judged as they come, until time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Unpack

import numpy as np

from moldiff.design.pockets.settle import Settled
from moldiff.errors import InputError
from moldiff.generation.api import Options
from moldiff.generation.request import Generated

__all__ = ["Budget", "Design", "Judge", "Source", "run"]


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
        Which part it was made around, as SMILES, or which two sides it was joined of; "new" of a
        whole molecule.
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


Judge = Callable[[Generated], Design]
"""What becomes of a molecule."""


class Source(Protocol):
    """Where designs come from: one batch after another, and who judges it.

    A batch is judged before the next one begins, which may depend on what came of it.
    """

    def __call__(
        self, turn: int, most: int, random: np.random.Generator, options: Options
    ) -> tuple[Iterator[Generated], Judge]:
        """Begin batch number ``turn`` of at most so many molecules, with options of generate."""


def run(source: Source, n: int, budget: Budget, **options: Unpack[Options]) -> Iterator[Design]:
    """Yield n designs, or those for which there is time.

    What time is up for is left out, at most a batch; everything else comes.
    """
    seed, total, progress = options.get("seed", 0), 0, options.get("progress")

    def watch(amount: float) -> None:
        if progress is not None:
            progress(amount)
        if budget.spent():
            raise _Spent

    for turn in range(n):
        if total >= n or budget.spent():
            return
        random = np.random.default_rng([abs(seed), turn])
        changed: Any = {**options, "progress": watch}
        molecules, judge = source(turn, n - total, random, changed)
        try:
            for item in molecules:
                total += 1
                yield judge(item)
                if budget.spent():
                    return
        except _Spent:
            return
