"""The document of a comparison (`document.document`) as tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moldiff.benchmark.docking.confidence import HEADER, cells
from moldiff.report.markdown import markdown_table, percent

__all__ = ["Table", "markdown", "rated", "seconds", "seeds", "tables"]

_HEADLINES = {"top1": "≤ 2 Å", "joint": "joint"}  # shown with their intervals
_FIGURES = {
    "top5": "top 5",
    "oracle": "oracle",
    "best_energy": "by energy",
    "valid": "PB-valid",
}


@dataclass(frozen=True)
class Table:
    """A table for a terminal or a page: first column names, the others hold text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""


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
            *(rated(row, key) for key in _HEADLINES),
            *(percent(row[key]) for key in _FIGURES),
            seconds(row["cpu_median"]),
            seconds(row["cpu_mean"]),
        )
        for row in part["methods"]
    )
    title = f"{name}: {part['complexes']} of {part['planned']} complexes, {seeds(part['seeds'])}"
    named = (*_HEADLINES.values(), *_FIGURES.values())
    heading = ("method", "n", "failed", *named, "CPU-s, median", "mean")
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
    notes = ["In brackets: 95 % (Wilson's, a complex counting once)."]
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


def rated(row: Mapping[str, Any], name: str) -> str:
    """Return a share of a method's row in per cent, with its interval in whole per cent."""
    low, high = row["intervals"][name]
    return f"{percent(row[name])} ({100 * low:.0f}–{100 * high:.0f})"


def seconds(value: float | None) -> str:
    """Return seconds to a tenth."""
    return "–" if value is None else f"{value:.1f}"


def seeds(numbers: Sequence[int]) -> str:
    """Return ``seed 0`` or ``seeds 0, 1``."""
    return f"seed{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"
