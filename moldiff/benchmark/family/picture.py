"""Quality against sampling steps, one line per member, labelled where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw", "spread"]

#: Dark enough for white paper, told apart by colour-blind readers where neighbours.
_COLOURS = ("#0b5394", "#b45f06", "#38761d", "#990000", "#5b2c8f", "#00707a", "#7a5c00", "#444444")
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_PANELS = {"strict": "strictly valid, %", "stable": "stable molecules by look-up, %"}
_GAP = 3.0  # per cent between labels


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Draw a document of `study.compare` into a file (.png, .svg or .pdf)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in document["rows"] if row["curve"]]
    figure = Figure(figsize=(15, max(5.0, 0.36 * len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor("white")
    for axes, (key, title) in zip(figure.subplots(1, 2, sharey=True), _PANELS.items(), strict=True):
        axes.set_title(title)
        _panel(axes, rows, key, document["plan"]["steps"])
    figure.suptitle(
        f"{document['setup']['minutes']:g} CPU minutes of training each; dashed: not equivariant; "
        "dotted: distilled from a trained model",
        fontsize="medium",
    )
    figure.savefig(path, dpi=130)


def _panel(axes: Any, rows: Sequence[Mapping[str, Any]], key: str, steps: Sequence[int]) -> None:
    ends = []
    for k, row in enumerate(rows):
        curve = [(point["steps"], 100 * point[key]["value"]) for point in row["curve"]]
        axes.plot(*zip(*curve, strict=True), **_style(k, row))
        ends.append(curve[-1])
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.set_xlim(steps[0] / 1.1, steps[-1] * 6)  # room for the labels
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlabel("sampling steps")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    heights = spread([y for _, y in ends], _GAP)
    for k, (row, (x, y), height) in enumerate(zip(rows, ends, heights, strict=True)):
        axes.annotate(
            row["method"],
            (x, y),
            (steps[-1] * 1.35, height),
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


def _style(k: int, row: Mapping[str, Any]) -> dict[str, Any]:
    line = "--" if not row["equivariant"] else ":" if row["distilled"] else "-"
    marker = _MARKERS[k // len(_COLOURS) % len(_MARKERS)]
    colour = _COLOURS[k % len(_COLOURS)]
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
