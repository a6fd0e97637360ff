"""The benchmark of sequences: how much of native ones a model recovers on held-out topologies."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.data.backbones import BackboneStore
from moldiff.sequences.trials import Trial

__all__ = ["HEADER", "Measured", "interval", "recorded", "row"]

HEADER = (
    "method",
    "domains",
    "residues",
    "recovery, mean",
    "median",
    "perplexity",
    "CPU-s a design",
)
_DRAWS = 2000
_COLUMNS = ("method", "chain", "residues", "recovery", "nats", "seconds")

Array = npt.NDArray[np.float64]


class Measured(NamedTuple):
    """A trial, and the method that it is of."""

    method: str
    trial: Trial


def row(method: str, trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the row of the table `HEADER` for a method's trials; () without any.

    Intervals are 95 % over domains.
    """
    if not trials:
        return ()
    recovery = np.array([trial.recovery for trial in trials])
    nats = np.array([trial.nats for trial in trials])
    sizes = np.array([trial.residues for trial in trials], dtype=float)

    def perplexity(some: npt.NDArray[np.int64]) -> float:
        return float(np.exp(np.average(nats[some], weights=sizes[some])))

    every = np.arange(len(trials))
    low, high = interval(lambda some: float(recovery[some].mean()), len(trials))
    less, more = interval(perplexity, len(trials))
    return (
        method,
        f"{len(trials)}",
        f"{sizes.sum():.0f}",
        f"{100 * recovery.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})",
        f"{100 * np.median(recovery):.1f} %",
        f"{perplexity(every):.2f} ({less:.2f} to {more:.2f})",
        f"{np.mean([trial.seconds for trial in trials]):.2f}",
    )


def interval(
    figure: Callable[[npt.NDArray[np.int64]], float], count: int, *, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a figure of ``count`` domains, by bootstrap over them.

    ``figure`` is given the numbers of the domains that are drawn (Efron, 1979).
    """
    rng = np.random.default_rng(seed)
    values: Array = np.array([figure(rng.integers(count, size=count)) for _ in range(_DRAWS)])
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def recorded(
    runs: Iterable[tuple[str, Iterable[Trial]]], store: BackboneStore, path: Path
) -> Iterator[Measured]:
    """Yield the trials of each method, and write each into a CSV file as soon as it is done.

    A row has the method, the chain, its residues, the share recovered, the mean of -log p of its
    native residues, and CPU-seconds.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for method, trials in runs:
            for trial in trials:
                figures = (f"{trial.recovery:.4f}", f"{trial.nats:.4f}", f"{trial.seconds:.2f}")
                writer.writerow([method, store.names[trial.chain], trial.residues, *figures])
                file.flush()
                yield Measured(method, trial)
