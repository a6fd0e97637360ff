"""The benchmark of sequences: how much of native ones a model recovers on held-out topologies."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moldiff.data.backbones import BackboneStore
from moldiff.metrics.value import bootstrap
from moldiff.sequences.trials import Trial

__all__ = ["HEADER", "Measured", "recorded", "row"]

HEADER = (
    "method",
    "domains",
    "residues",
    "recovery, mean",
    "median",
    "perplexity",
    "CPU-s a design",
)
_COLUMNS = ("method", "chain", "residues", "recovery", "nats", "seconds")


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
    sizes = np.array([trial.residues for trial in trials], dtype=float)
    nats = np.array([trial.nats for trial in trials])
    mean = bootstrap(recovery, lambda some: float(some.mean()))
    perplexity = bootstrap(
        np.stack([nats, sizes], 1),
        lambda some: float(np.exp(np.average(some[:, 0], weights=some[:, 1]))),
    )
    return (
        method,
        f"{len(trials)}",
        f"{sizes.sum():.0f}",
        mean.text(1, "%"),
        f"{100 * np.median(recovery):.1f} %",
        perplexity.text(2),
        f"{np.mean([trial.seconds for trial in trials]):.2f}",
    )


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
