"""The comparison in short, as a section of a README."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moldiff.benchmark.docking.report import ALL_SETS
from moldiff.benchmark.docking.rows import base
from moldiff.files import check_section, replace_section

__all__ = ["check", "into_readme", "section"]

_NAME = "docking"
_OURS = "moldiff"
_FIGURES = ("top1", "joint", "top5", "oracle")
_HEAD = (
    *("set", "method", "complexes", "within 2 Å", "and valid", "one of 5", "one of all"),
    "CPU-seconds, median",
)


def check(readme: Path) -> None:
    """Refuse a README without a place for the section (``InputError``)."""
    check_section(readme, _NAME)


def into_readme(document: Mapping[str, Any], readme: Path) -> None:
    """Put the section of a document (`report.document`) between the README's markers.

    Raises
    ------
    InputError
        If the file cannot be read or has no such markers.
    """
    replace_section(readme, _NAME, section(document))


def section(document: Mapping[str, Any]) -> str:
    """Return facts, table and paired differences; of several sets each, not their sum."""
    sets = {name: part for name, part in document["sets"].items() if name != ALL_SETS}
    lines = [_line(_HEAD), "|---|---|" + "--:|" * (len(_HEAD) - 2)]
    lines += [_line(row) for name, part in sets.items() for row in _rows(name, part, document)]
    facts = [
        *(_size(name, part) for name, part in sets.items()),
        ", ".join(f"{k} {v}" for k, v in document["versions"].items() if v and k in _SHOWN),
        document["date"][:10],
    ]
    paired = [told for name, part in sets.items() for told in _paired(name, part)]
    parts = ["; ".join(facts) + ". In per cent:", "\n".join(lines)]
    if paired:
        parts += [
            "Difference in *and valid*, in points, on the complexes both have finished (95 % "
            "interval by bootstrap):",
            "\n".join(paired),
        ]
    return "\n" + "\n\n".join(parts) + "\n\n"


_SHOWN = ("moldiff", "vina", "posebusters", "rdkit")


def _size(name: str, part: Mapping[str, Any]) -> str:
    seeds = part["seeds"]
    told = f"seed{'s' if len(seeds) != 1 else ''} {', '.join(map(str, seeds))}"
    return f"{name}: {part['complexes']} complexes, {told}"


def _rows(
    name: str, part: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[tuple[str, ...]]:
    for place, row in enumerate(part["methods"]):
        label = row["method"]
        what = document["methods"].get(base(label), label)
        yield (
            "" if place else name,
            f"**{label}**" if base(label) == _OURS else f"{label}: {what}",
            str(row["n"]),
            *(f"{100 * row[key]:.1f}" for key in _FIGURES),
            "–" if row["cpu_median"] is None else f"{row['cpu_median']:.1f}",
        )


def _paired(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    for row in part["paired"]:
        if row["value"] != "joint" or base(row["method"]) != _OURS:
            continue
        cpu = (
            "" if row["cpu_ratio"] is None else f", {100 * row['cpu_ratio']:.0f} % of its CPU time"
        )
        yield (
            f"- {name}, {row['method']} - {row['baseline']}: {100 * row['mean']:+.1f} "
            f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f}; {row['n']} dockings, "
            f"{row['wins']} won, {row['losses']} lost{cpu})"
        )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
