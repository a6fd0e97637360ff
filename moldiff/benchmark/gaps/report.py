"""The gaps that were built, as a file and as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moldiff.benchmark.gaps.conformations import GOOD
from moldiff.benchmark.gaps.identity import GROUPS, group_of
from moldiff.benchmark.gaps.judge import Judged
from moldiff.benchmark.gaps.methods import Attempt
from moldiff.data.backbones import BackboneStore
from moldiff.metrics.value import bootstrap

__all__ = ["HEADER", "failures", "grouped", "recorded", "rows"]

HEADER = (
    "method",
    "residues",
    "built",
    "off, Å",
    "< 2 Å",
    "closed",
    "C-N, Å",
    "D",
    "cis",
    "clashes",
    "moved",
    "CPU-s",
)
_COLUMNS = ("method", "chain", "start", "residues", "identity", "closed", "seconds", "spread")
_MEASURED = ("bond", "turned", "handed", "cis", "peptides", "clashes", "moved")


def rows(done: Sequence[Attempt]) -> Iterator[tuple[str, ...]]:
    """Yield a row of the table `HEADER` for each method and length.

    Of the gaps that were built: how far they are from the crystal structure, the median with its
    95 % interval (bootstrap over gaps); how many are within 2 Å, and closed; the worst bond of all;
    D-amino acids, cis peptides that lead to no proline, clashes and given residues that moved.
    CPU-seconds are the mean of all gaps.
    """
    for length in sorted({one.length for one in done}):
        for method in dict.fromkeys(one.method for one in done):
            those = [one for one in done if (one.method, one.length) == (method, length)]
            if those:
                yield (method, f"{length}", *_row(those))


def grouped(
    done: Sequence[Attempt], identities: Mapping[int, float]
) -> Iterator[tuple[str, list[Attempt]]]:
    """Yield the attempts apart by how alike the closest chain trained on is, with its name.

    ``identities`` are by the number of the chain (`moldiff.benchmark.gaps.identity.closest`).
    """
    for name in GROUPS:
        those = [one for one in done if group_of(identities[one.chain]) == name]
        if those:
            yield name, those


def _row(those: Sequence[Attempt]) -> Iterator[str]:
    built = [one.judged for one in those if one.judged is not None]
    yield f"{len(built)} of {len(those)}"
    yield _median(built)
    yield f"{sum(one.rmsd < GOOD for one in built)}"
    yield f"{sum(one.closed for one in built)}"
    yield f"{max(one.bond for one in built):.2f}" if built else "–"
    yield f"{sum(one.turned for one in built)} of {sum(one.handed for one in built)}"
    yield f"{sum(one.cis for one in built)} of {sum(one.peptides for one in built)}"
    yield f"{sum(one.clashes for one in built)}"
    yield f"{sum(one.moved for one in built)}"
    yield f"{np.mean([one.seconds for one in those]):.1f}"


def _median(built: Sequence[Judged]) -> str:
    rmsd = np.array([one.rmsd for one in built])
    return bootstrap(rmsd, lambda x: float(np.median(x))).text(2)


def failures(done: Sequence[Attempt]) -> Iterator[str]:
    """Yield a line for each reason why a method built nothing, with the number of gaps."""
    reasons = [(one.method, one.reason) for one in done if one.reason]
    for method, reason in dict.fromkeys(reasons):
        yield f"{method}, {reasons.count((method, reason))}: {reason}"


def recorded(
    attempts: Iterable[Attempt],
    store: BackboneStore,
    path: Path,
    *,
    draws: int,
    identities: Mapping[int, float] | None = None,
) -> Iterator[Attempt]:
    """Yield attempts, and write each into a CSV file as soon as it is done.

    A row has the method, the chain, the first residue and the number of residues of the gap, the
    identity to the closest chain trained on, how many conformations are closed, CPU-seconds, the
    spread of the conformations, what of the first was measured
    (`moldiff.benchmark.gaps.judge.Judged`), why there is none, and the RMSD of each of at most
    ``draws`` conformations, Å.
    """
    errors = [f"rmsd_{k + 1}" for k in range(draws)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*_COLUMNS, *_MEASURED, "reason", *errors])
        writer.writeheader()
        for one in attempts:
            values = _values(one, store.names[one.chain])
            if identities is not None:
                values["identity"] = f"{identities[one.chain]:.3f}"
            writer.writerow(values)
            file.flush()
            yield one


def _values(one: Attempt, name: str) -> dict[str, Any]:
    place = dict(zip(_COLUMNS, (one.method, name, one.start, one.length), strict=False))
    values = place | {"seconds": f"{one.seconds:.2f}", "reason": one.reason}
    if one.judged is None:
        return values
    measured = {key: getattr(one.judged, key) for key in _MEASURED}
    values |= measured | {"bond": f"{one.judged.bond:.3f}", "closed": int(one.judged.closed)}
    rmsd = [one.judged.rmsd]
    if one.trial is not None:
        rmsd = one.trial.rmsd.tolist()
        values |= {"closed": int(one.trial.closed.sum()), "spread": f"{one.trial.spread:.3f}"}
    return values | {f"rmsd_{k + 1}": f"{value:.3f}" for k, value in enumerate(rmsd)}
