"""How far the confidence of first poses can be believed: in groups, told against seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from moldiff.benchmark.docking.rows import Row
from moldiff.benchmark.docking.statistics import VALUES, share
from moldiff.docking.judge.ranking import calibration_error, reliability
from moldiff.report import picture
from moldiff.report.markdown import percent

__all__ = ["HEADER", "believed", "cells", "draw"]

_GROUPS = 5  # of equal width; the card of a ranking has ten
HEADER = ("confidence", "n", "mean confidence", "RMSD ≤ 2 Å")


def believed(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return ``error`` and the ``curve`` of the first poses; None if there is no confidence.

    See `moldiff.docking.judge.ranking.calibration_error` and ``reliability``; ``interval`` is
    that of `statistics.share`.
    """
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row.poses and (confidence := row.poses[0].confidence) is not None:
            place = min(int(confidence * _GROUPS), _GROUPS - 1)  # as `reliability` counts them
            groups.setdefault(place, []).append(row)
    if not groups:
        return None
    known = [row for place in sorted(groups) for row in groups[place]]
    chances = torch.tensor([row.poses[0].confidence for row in known], dtype=torch.float64)
    right = torch.tensor([VALUES["top1"](row) for row in known])
    curve = reliability(chances, right, bins=_GROUPS)
    seen = (share(groups[place], "top1") for place in sorted(groups))
    intervals = [{"interval": (value.low, value.high)} for value in seen]
    return {
        "error": calibration_error(curve),
        "curve": [row | more for row, more in zip(curve, intervals, strict=True)],
    }


def cells(calibration: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of a table with `HEADER`, and one of the mean distance of the last two."""
    rows = [
        (
            f"{row['low']:.1f} to {row['high']:.1f}",
            f"{row['count']:.0f}",
            percent(row["expected"]),
            f"{percent(row['observed'])} ({' to '.join(map(percent, row['interval']))})",
        )
        for row in calibration["curve"]
    ]
    return [*rows, ("calibration error", "", "", percent(calibration["error"]))]


def draw(sets: Mapping[str, Mapping[str, Mapping[str, Any]]], path: Path) -> bool:
    """Draw what `believed` found, by set and method, into a file; return whether it could."""
    shown = {name: methods for name, methods in sets.items() if methods}
    if not shown or not picture.available():
        return False
    figure = picture.canvas(4.2 * len(shown), 4.2)
    every = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, methods) in zip(every, shown.items(), strict=True):
        axes.plot([0, 100], [0, 100], "--", color="C7", linewidth=1)
        for method, calibration in methods.items():
            rows = calibration["curve"]
            low, high = zip(*(row["interval"] for row in rows), strict=True)
            y = [100 * row["observed"] for row in rows]
            bars = [
                [seen - 100 * end for seen, end in zip(y, low, strict=True)],
                [100 * end - seen for seen, end in zip(y, high, strict=True)],
            ]
            x = [100 * row["expected"] for row in rows]
            label = f"{method}, {percent(calibration['error'])} off"
            axes.errorbar(x, y, bars, fmt="o-", capsize=2, markersize=5, label=label)
        axes.set_xlabel("confidence of the first pose, mean, %")
        axes.set_title(name, fontsize="medium")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small", loc="upper left")
    every[0].set_ylabel("within 2 Å, %")
    figure.savefig(path)
    return True
