"""Rows to figures: success rates, paired differences, splits.  No figure is made up for rows
that are not there; a docking that failed counts as one that did not succeed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.benchmark.docking.rows import FAILED, Row
from moldiff.metrics.value import Value, rate

__all__ = [
    "ALIKE",
    "SPLITS",
    "VALUES",
    "Difference",
    "Summary",
    "bootstrap",
    "common",
    "paired",
    "share",
    "split",
    "summary",
]

_SUCCESS = 2.0  # Å
_TOP = 5
ALIKE = 0.5  # similarity of pockets: nearly always the same protein or a close homologue


def _best(row: Row, count: int | None) -> bool:
    return any(pose.rmsd <= _SUCCESS for pose in row.poses[:count])


#: Figure -> whether a docking succeeded by it.
VALUES: Mapping[str, Callable[[Row], bool]] = {
    "top1": lambda row: _best(row, 1),
    "joint": lambda row: _best(row, 1) and row.poses[0].valid is True,
    "top5": lambda row: _best(row, _TOP),
    "oracle": lambda row: _best(row, None),
    "valid": lambda row: bool(row.poses) and row.poses[0].valid is True,
    "best_energy": lambda row: (
        bool(row.poses) and min(row.poses, key=lambda pose: pose.energy).rmsd <= _SUCCESS
    ),
}


@dataclass(frozen=True)
class Summary:
    """What n dockings gave; shares from 0 to 1.

    Attributes
    ----------
    n, failed:
        Dockings, and those without a pose.
    shares:
        By the names of `VALUES`, with the intervals of `share`.
    poses_valid:
        Of all reported poses that PoseBusters judged, those it passes; None without any.
    cpu_median, cpu_mean:
        CPU-seconds; None where no docking told.
    """

    n: int
    failed: int
    shares: Mapping[str, Value]
    poses_valid: float | None
    cpu_median: float | None
    cpu_mean: float | None


def summary(rows: Sequence[Row]) -> Summary:
    """Sum up the rows of one method; at least one."""
    judged = [pose.valid for row in rows for pose in row.poses if pose.valid is not None]
    cpu = [row.cpu for row in rows if row.cpu is not None]
    return Summary(
        len(rows),
        sum(row.status == FAILED for row in rows),
        {name: share(rows, name) for name in VALUES},
        sum(judged) / len(judged) if judged else None,
        float(np.median(cpu)) if cpu else None,
        float(np.mean(cpu)) if cpu else None,
    )


def share(rows: Sequence[Row], value: str) -> Value:
    """Return the share of dockings that succeed by one of `VALUES`; at least one row.

    The interval (Wilson's, 95 %) counts complexes, not dockings: seeds of one complex are no
    independent evidence.
    """
    complexes = len({row.complex for row in rows})
    return rate(complexes * (sum(map(VALUES[value], rows)) / len(rows)), complexes)


@dataclass(frozen=True)
class Difference:
    """A difference of success rates on the n complexes both docked, with its 95 % interval.

    Attributes
    ----------
    n:
        Complexes.
    mean, low, high:
        First minus second, from -1 to 1.
    wins, losses:
        Dockings in which only the first, only the second succeeded.
    cpu_ratio:
        CPU-seconds of the first over those of the second, in all; None if not known.
    """

    n: int
    mean: float
    low: float
    high: float
    wins: int
    losses: int
    cpu_ratio: float | None


def paired(
    first: Iterable[Row],
    second: Iterable[Row],
    value: str,
    *,
    rng: np.random.Generator,
    other: str | None = None,
) -> Difference | None:
    """Compare two methods on the dockings both have finished; None if there are none.

    Complexes are resampled, not dockings: seeds of one complex are no independent evidence.
    The first succeeds by ``value``, the second by ``other``, which is the same one by default.
    """
    mine, theirs = ({(row.complex, row.seed): row for row in rows} for rows in (first, second))
    keys = [key for key in mine if key in theirs]
    if not keys:
        return None
    success, theirs_succeeds = VALUES[value], VALUES[other or value]
    differences: dict[str, list[int]] = {}
    for key in keys:
        differences.setdefault(key[0], []).append(success(mine[key]) - theirs_succeeds(theirs[key]))
    means = np.array([np.mean(values) for values in differences.values()])
    low, high = bootstrap(means, rng=rng)
    every = [d for values in differences.values() for d in values]
    times = [(mine[key].cpu, theirs[key].cpu) for key in keys]
    known = [(a, b) for a, b in times if a is not None and b is not None]
    ratio = sum(a for a, _ in known) / sum(b for _, b in known) if known else None
    return Difference(
        len(means), float(means.mean()), low, high, every.count(1), every.count(-1), ratio
    )


def bootstrap(
    values: npt.NDArray[np.float64], *, rng: np.random.Generator, resamples: int = 10_000
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of values (n,), by the percentile bootstrap.

    B. Efron & R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    means = np.empty(resamples)
    step = max(1, 2_000_000 // len(values))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, len(values), (size, len(values)))
        means[start : start + size] = values[drawn].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def common(groups: Iterable[Sequence[Row]]) -> list[list[Row]]:
    """Keep of each method the dockings (complex and seed) that all of them have finished."""
    lists = [list(rows) for rows in groups]
    keys = [{(row.complex, row.seed) for row in rows} for rows in lists]
    shared = set.intersection(*keys) if keys else set()
    return [[row for row in rows if (row.complex, row.seed) in shared] for rows in lists]


@dataclass(frozen=True)
class Traits:
    """What splits go by, of a complex; None where it is not known."""

    torsions: int | None
    cofactor: bool | None
    similarity: float | None


def _torsions(traits: Traits) -> str | None:
    if traits.torsions is None:
        return None
    return "0-3" if traits.torsions <= 3 else "4-7" if traits.torsions <= 7 else "8 and more"


def _cofactor(traits: Traits) -> str | None:
    return None if traits.cofactor is None else "present" if traits.cofactor else "absent"


def _similarity(traits: Traits) -> str | None:
    if traits.similarity is None:
        return None
    return f"{ALIKE:g} and more" if traits.similarity >= ALIKE else f"below {ALIKE:g}"


#: Heading -> the group of a complex, or None for none.
SPLITS: Mapping[str, Callable[[Traits], str | None]] = {
    "torsions": _torsions,
    "cofactor or metal": _cofactor,
    "similarity to training": _similarity,
}


def split(
    rows: Iterable[Row], by: str, similarity: Mapping[str, float]
) -> dict[str, dict[str, list[Row]]]:
    """Return group -> method -> rows; groups in order.

    A row that failed before its ligand was known takes the traits of another of its complex, so
    that no group loses its failures; complexes of which nothing is known are left out.
    """
    rows = list(rows)
    traits = _traits(rows, similarity)
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        group = SPLITS[by](traits[row.complex])
        if group is not None:
            groups.setdefault(group, {}).setdefault(row.method, []).append(row)
    return dict(sorted(groups.items()))


def _traits(rows: Iterable[Row], similarity: Mapping[str, float]) -> dict[str, Traits]:
    rows = list(rows)
    torsions = {row.complex: row.torsions for row in rows if row.torsions is not None}
    cofactor = {row.complex: row.cofactor for row in rows if row.cofactor is not None}
    return {
        key: Traits(torsions.get(key), cofactor.get(key), similarity.get(key))
        for key in {row.complex for row in rows}
    }
