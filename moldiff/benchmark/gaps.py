"""The benchmark of gaps: loops of held-out chains, built again by a backbone model."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from moldiff.completion.trials import Trial
from moldiff.data.backbones import BackboneStore

__all__ = ["HEADER", "recorded", "rows"]

HEADER = (
    "residues",
    "gaps",
    "closed",
    "first, Å",
    "all, Å",
    "best, Å",
    "first < 2 Å",
    "CPU-s a gap",
)
_GOOD = 2.0  # Å


def rows(trials: Sequence[Trial]) -> Iterator[tuple[str, ...]]:
    """Yield a row of the table `HEADER` for each length.

    Medians over the gaps: of the conformation that the model gives first, of all, and of the best.
    """
    for length in sorted({trial.length for trial in trials}):
        those = [trial for trial in trials if trial.length == length]
        rmsd = np.stack([trial.rmsd for trial in those])
        closed = np.stack([trial.closed for trial in those])
        yield (
            f"{length}",
            f"{len(those)}",
            f"{100 * closed.mean():.1f} %",
            f"{np.median(rmsd[:, 0]):.2f}",
            f"{np.median(rmsd):.2f}",
            f"{np.median(rmsd.min(1)):.2f}",
            f"{100 * (rmsd[:, 0] < _GOOD).mean():.0f} %",
            f"{np.mean([trial.seconds for trial in those]):.2f}",
        )


def recorded(trials: Iterable[Trial], store: BackboneStore, path: Path) -> Iterator[Trial]:
    """Yield trials, and write each into a CSV file as soon as it is done.

    A row has the chain, the first residue and the number of residues of the gap, how many
    conformations are closed, CPU-seconds, and the RMSD of each conformation in Å.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        for k, trial in enumerate(trials):
            _write(file, store.names[trial.chain], trial, header=k == 0)
            yield trial


def _write(file: TextIO, name: str, trial: Trial, *, header: bool) -> None:
    writer = csv.writer(file)
    if header:
        errors = [f"rmsd_{k + 1}" for k in range(len(trial.rmsd))]
        writer.writerow(["chain", "start", "residues", "closed", "seconds", *errors])
    place = [name, trial.start, trial.length, int(trial.closed.sum()), f"{trial.seconds:.2f}"]
    writer.writerow([*place, *(f"{value:.3f}" for value in trial.rmsd)])
    file.flush()
