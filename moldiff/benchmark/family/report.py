"""The comparison as a Markdown table, and as a section of the README."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moldiff.report.markdown import markdown_table, percent, replace_section

__all__ = ["SECTION", "into_readme", "markdown"]

SECTION = "family"
_HEAD = (
    "method",
    "training",
    "steps",
    "NFE",
    "strictly valid, %",
    "look-up stable, %",
    "valid × unique, %",
    "relaxation, kcal/mol",
    "molecules / CPU-s",
)


def markdown(document: Mapping[str, Any]) -> str:
    """Return facts, table and remarks."""
    rows = [_row(row) for row in document["rows"]]
    table = markdown_table(_HEAD, rows)
    return "\n\n".join(["; ".join(_facts(document)) + ".", table, *_remarks(document)])


def _facts(document: Mapping[str, Any]) -> Iterator[str]:
    setup, plan, machine = (document[key] for key in ("setup", "plan", "machine"))
    yield f"Each trained for {setup['minutes']:g} CPU minutes from one seed on the same batches"
    yield f"{plan['samples']} samples each, no filter, seed {plan['seed']}"
    yield f"{machine['cpu']}, {machine['threads']} thread(s)"
    yield ", ".join(f"{k} {document['versions'][k]}" for k in ("moldiff", "torch"))
    yield document["date"][:10]


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Steps, network evaluations per molecule (NFE, counted) and quality are those of each "
        "member's own sampler; relaxation is the median energy MMFF94 sets free in strictly valid "
        "molecules. Members trained *as* another differ from it in sampling alone."
    )
    if any(row.get("distilled") for row in document["rows"]):
        yield (
            f"† begins with the weights of `{document['setup']['teacher']}` and is taught by it: "
            "its training comes on top of that model's."
        )
    if any(row.get("equivariant") is False for row in document["rows"]):
        yield (
            "‡ **not equivariant**: trained under random rotations and reflections of all examples."
        )
    for row in document["rows"]:
        if row["failure"] is not None:
            yield f"`{row['method']}` has no figures: {row['failure']}"


def name(row: Mapping[str, Any]) -> str:
    """Return the method with its marks: † distilled, ‡ not equivariant."""
    marks = "†" * bool(row.get("distilled")) + "‡" * (row.get("equivariant") is False)
    label = " (not equivariant)" if row.get("equivariant") is False else ""
    return f"`{row['method']}`{label}{' ' if marks else ''}{marks}"


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    own, training = row["default"], row["training"]
    trained = "–" if training is None else f"{training['steps']:,} steps"
    if training is not None and row["run"] != row["method"]:
        trained += f", as `{row['run']}`"
    if own is None:
        return (name(row), trained, *("–",) * (len(_HEAD) - 2))
    return (
        name(row),
        trained,
        str(own["steps"]),
        f"{own['nfe']:.4g}",
        *(percent(own[key]["value"]) for key in ("strict", "stable", "valid_unique")),
        _number(own["relaxation"]["value"]),
        _number(own["molecules_per_cpu_second"]),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def into_readme(document: Mapping[str, Any], readme: Path, picture: Path | None) -> None:
    """Put the table, and the picture if there is one, between the markers of a README.

    Raises
    ------
    InputError
        If the file cannot be read or has no such markers.
    """
    section = markdown(document) + "\n"
    if picture is not None:
        image = Path(picture).resolve()
        root = readme.resolve().parent
        where = image.relative_to(root) if image.is_relative_to(root) else image.name
        section += (
            f"\n![Quality against sampling steps, a panel for each branch of the family]({where})\n"
        )
    replace_section(readme, SECTION, section)
