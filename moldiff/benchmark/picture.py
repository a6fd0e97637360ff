"""The benchmark as a picture: seconds per molecule, and growth with batch and atoms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moldiff.report.picture import canvas

__all__ = ["draw"]


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw a document of `report.document` into a file."""
    sections = result["sections"]
    figure = canvas(13, 4)
    left, *others = figure.subplots(1, 4)
    _bars(left, sections["sampling"])
    curves = (
        ("batches", "batch", "cpu_ms_per_molecule", "CPU ms per molecule and evaluation"),
        ("atoms", "atoms", "cpu_ms_per_molecule", "CPU ms per molecule and evaluation"),
        ("atoms", "atoms", "peak_mib", "MiB of tensors, batch {batch}"),
    )
    for axes, (section, x, y, label) in zip(others, curves, strict=True):
        _curves(axes, sections[section], x, y)
        axes.set_ylabel(label.format(**sections[section][0]))
    others[0].legend(fontsize="small", frameon=False)
    machine = result["machine"]
    figure.suptitle(f"{machine['cpu']}, {machine['threads']} thread(s)", fontsize="medium")
    figure.savefig(path, dpi=150)


def _bars(axes: Any, rows: list[dict[str, Any]]) -> None:
    names = [f"{row['network']}\n{row['steps']} steps" for row in rows]
    bars = axes.barh(names, [row["cpu_s_per_molecule"] for row in rows], color="C0")
    bars[0].set_color("C1")
    axes.bar_label(bars, [f" {row['ratio']:.3g} x" for row in rows], fontsize="small")
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.set_xlabel("CPU s per molecule")


def _curves(axes: Any, rows: list[dict[str, Any]], x: str, y: str) -> None:
    for k, name in enumerate(dict.fromkeys(row["network"] for row in rows)):
        mine = [row for row in rows if row["network"] == name]
        # The colour says which model, dashes that it is a lean evaluation.
        style = "--" if name.endswith("lean") else "-"
        colour = f"C{(k + 1) // 2 + 1 if k else 1}"
        axes.plot(
            [row[x] for row in mine],
            [row[y] for row in mine],
            style,
            color=colour,
            marker=".",
            label=name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x)
    ticks = sorted({row[x] for row in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
