"""The comparison as a document: everything that is finished, summed up.

It is ``{"format", "date", "versions", "protocol", "methods", "sets", "curves"}``; each
set, and "all sets" where there are several, has ``complexes``, ``methods``, ``paired``,
``splits``, ``confidence``, ``failures``.  Shares run from 0 to 1.
"""

from __future__ import annotations

import dataclasses
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moldiff.benchmark.docking import statistics
from moldiff.benchmark.docking.complexes import BOXES
from moldiff.benchmark.docking.confidence import believed
from moldiff.benchmark.docking.methods import METHODS, Ours
from moldiff.benchmark.docking.rows import FAILED, Row, base
from moldiff.report.document import now
from moldiff.report.machine import installed
from moldiff.version import __version__

__all__ = ["ALL_SETS", "FORMAT", "PROTOCOL", "document"]

FORMAT = "moldiff-docking-benchmark-1"
PROTOCOL = (
    "Redocking into the crystal receptor, rigid. Search box: {box}, the same for all methods. The "
    "ligand starts as a graph with stereochemistry: ETKDG conformers, no crystal torsions. RMSD of "
    "heavy atoms, symmetry-corrected, not superposed; success at 2 Å or less. Joint: and "
    "PoseBusters-valid (redock). What failed or could not be prepared counts as no success. "
    "CPU-seconds of one thread with preparation; loading programs and weights is left out. "
    "All methods get the same preparation of receptor and ligand. Unless asked for, complexes "
    "are left out whose protein may be in the training data with the same ligand."
)
_BASELINES = ("vina1", "vina8", "rustina")
ALL_SETS = "all sets"


def document(
    rows: Sequence[Row],
    planned: Mapping[str, int],
    similarity: Mapping[str, float],
    *,
    box: str = "jitter2",
    before: Sequence[Row] = (),
) -> dict[str, Any]:
    """Sum up everything that is finished.

    Parameters
    ----------
    planned:
        Set -> complexes that were to be docked.
    similarity:
        ``set/id`` -> similarity to the training set.
    box:
        One of `BOXES`.
    before:
        Rows of an earlier comparison: ours is compared with each method there.
    """
    sets = {name: [row for row in rows if row.set == name] for name in planned}
    planned = dict(planned)
    if len(sets) > 1:
        sets[ALL_SETS] = list(rows)
        planned[ALL_SETS] = sum(planned.values())
    return {
        "format": FORMAT,
        "date": now(),
        "versions": _versions(),
        "protocol": PROTOCOL.format(box=BOXES[box]),
        "methods": {name: method.what for name, method in METHODS.items()},
        "sets": {
            name: {"planned": planned[name], **_set(mine, similarity, before)}
            for name, mine in sets.items()
        },
        "curves": {name: _points(mine) for name, mine in sets.items()},
    }


def _set(
    rows: Sequence[Row], similarity: Mapping[str, float], before: Sequence[Row]
) -> dict[str, Any]:
    by = _by_method(rows)
    baselines = {label: mine for label, mine in by.items() if base(label) in _BASELINES}
    baselines |= {f"{label} before": those for label, those in _by_method(before).items()}
    return {
        "complexes": len({row.complex for row in rows}),
        "seeds": sorted({row.seed for row in rows}),
        "receptors": dict(Counter(row.receptor for row in rows)),
        "proposals": sorted({f"{row.method}: {row.proposals}" for row in rows if row.proposals}),
        "methods": [{"method": name, **_summary(mine)} for name, mine in by.items()],
        "paired": _paired(by, baselines),
        "splits": _splits(rows, similarity),
        "confidence": {
            name: calibration for name, mine in by.items() if (calibration := believed(mine))
        },
        "failures": _failures(rows),
        "checks": dict(
            Counter(f for row in rows for p in row.poses[:1] for f in p.failed).most_common()
        ),
    }


def _by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each method, in the order of the table of methods, then by effort."""
    names = list(METHODS)

    def place(label: str) -> tuple[int, str, int]:
        named, _, effort = label.partition("@")
        name = base(label)
        return (names.index(name) if name in names else len(names), named, int(effort or 0))

    return {
        label: [row for row in rows if row.method == label]
        for label in sorted({row.method for row in rows}, key=place)
    }


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    figures = dataclasses.asdict(statistics.summary(rows))
    shares = figures.pop("shares")
    return {
        "n": figures.pop("n"),
        "failed": figures.pop("failed"),
        **{name: share["value"] for name, share in shares.items()},
        "intervals": {name: (share["low"], share["high"]) for name, share in shares.items()},
        **figures,
    }


def _paired(
    by: Mapping[str, Sequence[Row]], baselines: Mapping[str, Sequence[Row]]
) -> list[dict[str, Any]]:
    """Each of ours against each baseline, and against the order of its own poses by energy."""
    differences = []
    for label, mine in by.items():
        if not isinstance(METHODS.get(base(label)), Ours):
            continue
        pairs = [(other, b, v, v) for other, b in baselines.items() for v in ("top1", "joint")]
        if base(label) != "energy":
            pairs.append(("its poses by energy", mine, "top1", "best_energy"))
        for other, theirs, value, theirs_by in pairs:
            rng = np.random.default_rng(0)
            difference = statistics.paired(mine, theirs, value, rng=rng, other=theirs_by)
            if difference is not None:
                names = {"method": label, "baseline": other, "value": value}
                differences.append({**names, **dataclasses.asdict(difference)})
    return differences


def _splits(rows: Sequence[Row], similarity: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        {"split": by, "group": group, "method": method, **_summary(mine)}
        for by in statistics.SPLITS
        for group, methods in statistics.split(rows, by, similarity).items()
        for method, mine in _by_method([r for part in methods.values() for r in part]).items()
    ]


def _failures(rows: Sequence[Row]) -> list[dict[str, str | int]]:
    return [
        {"complex": row.complex, "method": row.method, "seed": row.seed, "reason": row.reason}
        for row in rows
        if row.status == FAILED or row.reason
    ]


def _points(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The curve: methods at each effort, on the dockings that all of the points have."""
    by = {label: mine for label, mine in _by_method(rows).items() if "@" in label}
    points = []
    for label, mine in zip(by, statistics.common(by.values()), strict=True):
        if mine:
            name, _, effort = label.partition("@")
            points.append({"method": name, "effort": int(effort), **_summary(mine)})
    return points


def _versions() -> dict[str, str | None]:
    others = ("vina", "rustina", "posebusters", "rdkit", "torch", "numpy")
    versions = {name: installed(name) for name in others}
    return {"moldiff": __version__, **versions, "python": platform.python_version()}
