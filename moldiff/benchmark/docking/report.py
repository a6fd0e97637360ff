"""The comparison as a document, as tables, and as Markdown.

The document is ``{"format", "date", "versions", "protocol", "methods", "sets", "curves"}``; each
set, and "all sets" where there are several, has ``complexes``, ``methods``, ``paired``,
``splits``, ``failures``.  Shares run from 0 to 1.
"""

from __future__ import annotations

import dataclasses
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moldiff.benchmark.docking import statistics
from moldiff.benchmark.docking.complexes import BOXES
from moldiff.benchmark.docking.confidence import HEADER, believed, cells
from moldiff.benchmark.docking.methods import METHODS, Ours
from moldiff.benchmark.docking.rows import FAILED, Row, base
from moldiff.report.document import now
from moldiff.report.machine import installed
from moldiff.report.markdown import markdown_table, percent
from moldiff.version import __version__

__all__ = [
    "ALL_SETS",
    "FORMAT",
    "PROTOCOL",
    "Table",
    "document",
    "markdown",
    "seconds",
    "seeds",
    "tables",
]

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
_BASELINES = ("vina1", "vina8")
ALL_SETS = "all sets"


@dataclass(frozen=True)
class Table:
    """A table for a terminal or a page: first column names, the others hold text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""


def document(
    rows: Sequence[Row],
    planned: Mapping[str, int],
    similarity: Mapping[str, float],
    *,
    seed: int = 0,
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
    seed:
        Of the bootstrap.
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
            name: {"planned": planned[name], **_set(mine, similarity, seed, before)}
            for name, mine in sets.items()
        },
        "curves": {name: _points(mine) for name, mine in sets.items()},
    }


def _set(
    rows: Sequence[Row], similarity: Mapping[str, float], seed: int, before: Sequence[Row]
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
        "paired": _paired(by, baselines, seed),
        "splits": _splits(rows, similarity),
        "confidence": {name: found for name, mine in by.items() if (found := believed(mine))},
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
    return {"n": figures.pop("n"), "failed": figures.pop("failed"), **shares, **figures}


def _paired(
    by: Mapping[str, Sequence[Row]], baselines: Mapping[str, Sequence[Row]], seed: int
) -> list[dict[str, Any]]:
    """Each of ours against each baseline."""
    differences = []
    for label, mine in by.items():
        if not isinstance(METHODS.get(base(label)), Ours):
            continue
        for other, theirs in baselines.items():
            for value in ("top1", "joint"):
                rng = np.random.default_rng(seed)
                difference = statistics.paired(mine, theirs, value, rng=rng)
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
    others = ("vina", "posebusters", "rdkit", "torch", "numpy")
    versions = {name: installed(name) for name in others}
    return {"moldiff": __version__, **versions, "python": platform.python_version()}


# --- tables ----------------------------------------------------------------------------------

_FIGURES = {
    "top1": "RMSD ≤ 2 Å",
    "joint": "joint",
    "top5": "top 5",
    "oracle": "oracle",
    "best_energy": "by energy",
    "valid": "PB-valid",
    "poses_valid": "poses PB-valid",
}


def tables(result: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a document."""
    return [table for name, part in result["sets"].items() for table in _tables(name, part)]


def _tables(name: str, part: Mapping[str, Any]) -> list[Table]:
    if not part["methods"]:
        return []
    figures = tuple(
        (
            row["method"],
            f"{row['n']}",
            f"{row['failed']}",
            *(percent(row[key]) for key in _FIGURES),
            seconds(row["cpu_median"]),
            seconds(row["cpu_mean"]),
        )
        for row in part["methods"]
    )
    title = f"{name}: {part['complexes']} of {part['planned']} complexes, {seeds(part['seeds'])}"
    heading = ("method", "n", "failed", *_FIGURES.values(), "CPU-s median", "mean")
    paired = tuple(
        (
            f"{row['method']} - {row['baseline']}",
            "RMSD" if row["value"] == "top1" else row["value"],
            f"{row['n']}",
            f"{100 * row['mean']:+.1f}",
            f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}",
            f"{row['wins']} : {row['losses']}",
            "–" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}",
        )
        for row in part["paired"]
    )
    parts = tuple(
        (
            f"{row['split']}: {row['group']}",
            row["method"],
            f"{row['n']}",
            *(percent(row[key]) for key in ("top1", "joint", "oracle")),
        )
        for row in part["splits"]
    )
    sure = tuple((label, *row) for label, m in part["confidence"].items() for row in cells(m))
    candidates = [
        Table(title, heading, figures, _remark(part)),
        Table(
            f"{name}: paired differences in points",
            ("methods", "of", "complexes", "mean", "95 %", "won : lost", "CPU ratio"),
            paired,
            "Bootstrap over the complexes that both have finished.",
        ),
        Table(f"{name}: splits", ("group", "method", "n", "RMSD ≤ 2 Å", "joint", "oracle"), parts),
        Table(f"{name}: confidence of first poses", ("method", *HEADER), sure),
    ]
    return [table for table in candidates if table.rows]


def _remark(part: Mapping[str, Any]) -> str:
    """What a reader must know before the figures are believed."""
    counts = {row["n"] for row in part["methods"]}
    notes = []
    if len(counts) > 1:
        notes.append("The methods have finished different numbers: compare the paired differences.")
    elif part["complexes"] < part["planned"]:
        notes.append("Not finished: a random part of what was planned.")
    if "pocket.pdb" in part["receptors"]:
        notes.append(
            "Receptors from pocket.pdb, cut about the crystal ligand: its outline leaks, these "
            "are no headline figures."
        )
    notes += [f"Proposals of {line}." for line in part["proposals"] if "no docking model" in line]
    return " ".join(notes)


def markdown(result: Mapping[str, Any]) -> str:
    """Return the document as Markdown."""
    known = ", ".join(f"{k} {v}" for k, v in result["versions"].items() if v)
    parts = ["# Docking benchmark", result["protocol"], f"{result['date']}; {known}."]
    parts.append("\n".join(f"- `{name}`: {what}" for name, what in result["methods"].items()))
    for table in tables(result):
        parts.append(f"## {table.title}")
        parts.append(markdown_table(table.header, table.rows, numbers_from=1))
        parts += [table.remark] if table.remark else []
    return "\n\n".join(parts) + "\n"


def seconds(value: float | None) -> str:
    """Return seconds to a tenth."""
    return "–" if value is None else f"{value:.1f}"


def seeds(numbers: Sequence[int]) -> str:
    """Return ``seed 0`` or ``seeds 0, 1``."""
    return f"seed{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"
