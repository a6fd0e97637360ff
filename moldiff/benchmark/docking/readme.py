"""The comparison in short, as a section of a README."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from moldiff.benchmark.docking.document import ALL_SETS
from moldiff.benchmark.docking.report import rated, seconds, seeds
from moldiff.benchmark.docking.rows import base
from moldiff.report.markdown import markdown_table, percent, replace_section

__all__ = ["SECTION", "into_readme", "section"]

SECTION = "docking"
_OURS = "moldiff"
_HEAD = ("set", "method", "dockings", "within 2 Å", "and valid", "one of 5", "one of all")
_HEADLINES = ("top1", "joint")
_FIGURES = ("top5", "oracle")
_VERSIONS = ("moldiff", "vina", "rustina", "posebusters", "rdkit")


def into_readme(document: Mapping[str, Any], labels: Collection[str], readme: Path) -> bool:
    """Put the section of a document (`document.document`) between the README's markers.

    Parameters
    ----------
    labels:
        Which of the finished methods, at which effort (`methods.Run.label`), are shown.

    Returns
    -------
    bool
        False where nothing is finished: what the README says stays.

    Raises
    ------
    InputError
        If the file cannot be read or has no such markers.
    """
    text = section(document, labels)
    if text:
        replace_section(readme, SECTION, text)
    return bool(text)


def section(document: Mapping[str, Any], labels: Collection[str]) -> str:
    """Return facts, table and paired differences of each set; "" where nothing is finished."""
    every = {name: _only(part, labels) for name, part in document["sets"].items()}
    sets = {name: part for name, part in every.items() if name != ALL_SETS and part["methods"]}
    if not sets:
        return ""
    facts = [
        *(
            f"{name}: {part['complexes']} complexes, {seeds(part['seeds'])}"
            for name, part in sets.items()
        ),
        ", ".join(f"{k} {v}" for k, v in document["versions"].items() if v and k in _VERSIONS),
        document["date"][:10],
    ]
    table = markdown_table(
        (*_HEAD, "CPU-seconds, median"),
        (row for name, part in sets.items() for row in _rows(name, part, document["methods"])),
        numbers_from=2,
    )
    paired = "\n".join(line for name, part in every.items() for line in _paired(name, part))
    parts = [
        "; ".join(facts) + ". In per cent, 95 % in brackets (Wilson's, a complex counting once); "
        "behind the @ the effort: search rounds of ours, exhaustiveness of Vina, runs of Rustina:",
        table,
    ]
    if paired:
        parts.append(
            "Differences in *and valid*, in points, on the complexes both have finished (95 % "
            "interval by bootstrap):"
        )
        parts.append(paired)
    return "\n" + "\n\n".join(parts) + "\n\n"


def _only(part: Mapping[str, Any], labels: Collection[str]) -> dict[str, Any]:
    """A set's part of the document with the methods of these labels alone."""
    tables = {
        key: [r for r in part[key] if {r["method"], r.get("baseline", r["method"])} <= set(labels)]
        for key in ("methods", "paired")
    }
    return {**part, **tables}


def _rows(
    name: str, part: Mapping[str, Any], methods: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    for place, row in enumerate(part["methods"]):
        kind = base(row["method"])
        label = f"**{row['method']}**" if kind == _OURS else row["method"]
        yield (
            "" if place else name,
            f"{label}: {methods[kind]}" if kind in methods else label,
            str(row["n"]),
            *(rated(row, key) for key in _HEADLINES),
            *(percent(row[key]) for key in _FIGURES),
            seconds(row["cpu_median"]),
        )


def _paired(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    for row in part["paired"]:
        if row["value"] != "joint" or base(row["method"]) != _OURS:
            continue
        ratio = row["cpu_ratio"]
        cpu = "" if ratio is None else f"; {100 * ratio:.0f} % of its CPU time"
        yield (
            f"- {name}, {row['method']} - {row['baseline']}: {100 * row['mean']:+.1f} "
            f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f}); {row['n']} complexes, "
            f"{row['wins']} dockings won, {row['losses']} lost{cpu}"
        )
