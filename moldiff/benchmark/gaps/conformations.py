"""The conformations of a backbone model: how near they are, and what their spread tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from moldiff.completion.trials import Trial
from moldiff.metrics.value import Value, bootstrap, missing

__all__ = ["GOOD", "HEADER", "rows", "separation"]

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
GOOD = 2.0
"""Å from the crystal structure below which a loop is right."""


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
            f"{100 * (rmsd[:, 0] < GOOD).mean():.0f} %",
            f"{np.mean([trial.seconds for trial in those]):.2f}",
        )


def separation(trials: Sequence[Trial]) -> Value:
    """Return how well the spread of its conformations tells whether a gap's first is right.

    It is the area under the ROC curve: the probability that of two gaps, the first conformation of
    one within 2 Å and that of the other not, the former has the smaller spread.
    """
    pairs = np.array([(trial.spread, trial.rmsd[0] < GOOD) for trial in trials], float)
    pairs = pairs[np.isfinite(pairs).all(1)] if len(pairs) else np.zeros((0, 2))
    if not 0 < pairs[:, 1].sum() < len(pairs):
        return missing("all gaps are alike")
    return bootstrap(pairs, _area)


def _area(pairs: npt.NDArray[np.float64]) -> float:
    right, wrong = (pairs[pairs[:, 1] == one, 0] for one in (1, 0))
    if not len(right) or not len(wrong):  # a resampling without one kind says nothing
        return 0.5
    below = (right[:, None] < wrong).astype(float) + 0.5 * (right[:, None] == wrong)
    return float(below.mean())
