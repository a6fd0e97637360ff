"""Quality against sampling steps: a panel for each branch of the family, a line per member."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moldiff.report.picture import canvas

__all__ = ["draw", "spread"]

#: Dark enough for white paper, told apart by colour-blind readers.
_COLOURS = ("#0b5394", "#b45f06", "#38761d", "#990000", "#5b2c8f")
_MARKERS = ("o", "s", "^", "v", "D")
_QUALITY = "stable"
_TITLE = "Molecules stable by look-up, %, against sampling steps"
_USUAL = "aligned"  # grey in every panel: what the others are compared with
_COLUMNS = 3
_GAP = 6.5  # per cent between labels


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Draw a document of `study.compare` into a file (.png, .svg or .pdf): a panel a branch.

    At least one member must have a curve.
    """
    rows = [row for row in document["rows"] if row["curve"]]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    usual = [row for row in rows if row["method"] == _USUAL]
    high = math.ceil(len(kinds) / _COLUMNS)
    figure = canvas(12, 0.6 + 3.3 * high)
    figure.set_facecolor("white")
    panels = list(figure.subplots(high, _COLUMNS, sharey=True, squeeze=False).flat)
    for kind, axes in zip(kinds, panels, strict=False):
        axes.set_title(kind, fontsize="medium")
        steps = document["plan"]["steps"]
        _panel(axes, [row for row in rows if row["kind"] == kind], usual, steps)
    for axes in panels[len(kinds) :]:
        axes.set_axis_off()
    grey = f"; grey: {_USUAL}" if usual else ""
    figure.suptitle(
        f"{_TITLE}\n{document['setup']['minutes']:g} CPU minutes of training each; dashed: not "
        f"equivariant; dotted: distilled from a trained model{grey}",
        fontsize="medium",
    )
    figure.savefig(path, dpi=130)


def _panel(
    axes: Any,
    rows: Sequence[Mapping[str, Any]],
    usual: Sequence[Mapping[str, Any]],
    steps: Sequence[int],
) -> None:
    for row in usual:
        axes.plot(*zip(*_curve(row), strict=True), color="#bbbbbb", linewidth=3)
    for k, row in enumerate(rows):
        axes.plot(*zip(*_curve(row), strict=True), **_style(k, row))
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.set_xlim(steps[0] / 1.15, steps[-1] * 30)  # room for the labels
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    ends = [_curve(row)[-1] for row in rows]
    heights = spread([y for _, y in ends], _GAP)
    for k, (row, (x, y), height) in enumerate(zip(rows, ends, heights, strict=True)):
        axes.annotate(
            row["method"],
            (x, y),
            (steps[-1] * 1.6, height),
            color=_style(k, row)["color"],
            fontsize="small",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": "#aaaaaa",
                "linewidth": 0.5,
                "relpos": (0, 0.5),
            },
        )


def _curve(row: Mapping[str, Any]) -> list[tuple[int, float]]:
    return [(point["steps"], 100 * point[_QUALITY]["value"]) for point in row["curve"]]


def _style(k: int, row: Mapping[str, Any]) -> dict[str, Any]:
    line = "--" if not row["equivariant"] else ":" if row["distilled"] else "-"
    turn, place = divmod(k, len(_COLOURS))
    colour, marker = _COLOURS[place], _MARKERS[(place + turn) % len(_MARKERS)]
    return {"color": colour, "linestyle": line, "marker": marker, "markersize": 4, "linewidth": 1.4}


def spread(values: Sequence[float], gap: float, top: float = 100.0) -> list[float]:
    """Return heights in the order of ``values``, near them, ``gap`` apart, from 0 to ``top``."""

    def start(group: Sequence[int]) -> float:
        """Lowest height of labels that touch: centred on their mean as one."""
        length = gap * (len(group) - 1)
        middle = sum(values[k] for k in group) / len(group)
        return max(0.0, min(middle - length / 2, top - length))

    groups: list[list[int]] = []
    for k in sorted(range(len(values)), key=lambda k: values[k]):
        groups.append([k])
        while len(groups) > 1 and start(groups[-2]) + gap * len(groups[-2]) > start(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    heights = {k: start(group) + gap * i for group in groups for i, k in enumerate(group)}
    return [heights[k] for k in range(len(values))]
