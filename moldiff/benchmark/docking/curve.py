"""Success against CPU-seconds as a picture: each method at several efforts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moldiff.report import picture

__all__ = ["draw_curves", "drawable"]

#: Colour and line; dashed and hollow is what lacks a part: the network, or seven conformers.
_STYLES = {"moldiff": ("C1", "o-"), "random": ("C1", "o--"), "vina1": ("C0", "s--")}
_STYLES |= {"vina8": ("C0", "s-")}
_OTHER = ("C7", "^-")


def drawable(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return why no picture can be drawn; empty if it can."""
    if not any(len(points) > 1 for rows in curves.values() for points in _by_method(rows).values()):
        return "no method has finished at two efforts (--curve)"
    return "" if picture.available() else "matplotlib is not installed"


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Draw points ``{"method", "effort", "n", "joint", "cpu_mean"}`` of each set into a file.

    The needs of `picture.check` must be met.
    """
    shown = {name: rows for name, rows in curves.items() if rows}
    figure = picture.canvas(5.2 * len(shown), 4.2)
    every = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, rows) in zip(every, shown.items(), strict=True):
        _panel(axes, name, rows)
    every[0].set_ylim(bottom=0)
    every[0].set_ylabel("top pose within 2 Å and PoseBusters-valid, %")
    figure.savefig(path)


def _panel(axes: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.ticker import LogLocator

    for method, points in _by_method(rows).items():
        colour, style = _STYLES.get(method, _OTHER)
        x = [point["cpu_mean"] for point in points]
        y = [100 * point["joint"] for point in points]
        filled = "white" if "--" in style else colour
        axes.plot(x, y, style, color=colour, label=method, markersize=5, markerfacecolor=filled)
        for point, a, b in zip(points, x, y, strict=True):
            axes.annotate(
                f"{point['effort']}",
                (a, b),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize="x-small",
                color=colour,
            )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel("CPU-seconds a ligand, preparation included, mean")
    counts = sorted({point["n"] for point in rows})
    axes.set_title(f"{name}, {counts[0]} dockings a point", fontsize="medium")
    axes.margins(y=0.1)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small", loc="lower right")


def _by_method(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Points of each method by effort; those without a time cannot be drawn."""
    points: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["effort"]):
        if row["cpu_mean"] is not None:
            points.setdefault(row["method"], []).append(row)
    return points
