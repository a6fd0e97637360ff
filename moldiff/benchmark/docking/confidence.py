"""How far the confidence of first poses can be believed: in groups, told against seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from moldiff.benchmark.docking.rows import Row
from moldiff.benchmark.docking.statistics import VALUES
from moldiff.docking.judge.ranking import calibration_error, reliability
from moldiff.report.markdown import percent

__all__ = ["HEADER", "believed", "cells"]

_GROUPS = 5  # of equal width; the card of a ranking has ten
HEADER = ("confidence", "n", "mean confidence", "RMSD ≤ 2 Å")


def believed(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return ``error`` and the ``curve`` of the first poses; None if there is no confidence.

    See `moldiff.docking.judge.ranking.calibration_error` and ``reliability``.
    """
    told = [(row.poses[0].confidence, VALUES["top1"](row)) for row in rows if row.poses]
    known = [(confidence, right) for confidence, right in told if confidence is not None]
    if not known:
        return None
    chances = torch.tensor([confidence for confidence, _ in known])
    curve = reliability(chances, torch.tensor([right for _, right in known]), bins=_GROUPS)
    return {"error": calibration_error(curve), "curve": curve}


def cells(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of a table with `HEADER`, and one of the mean distance of the last two."""
    rows = [
        (
            f"{row['low']:.1f} to {row['high']:.1f}",
            f"{row['count']:.0f}",
            percent(row["expected"]),
            f"{percent(row['observed'])} ± {percent(row['error'])}",
        )
        for row in found["curve"]
    ]
    return [*rows, ("calibration error", "", "", percent(found["error"]))]
