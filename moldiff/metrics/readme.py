"""A report as the Markdown section of a README, beside published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["results_section"]

# column heading -> metric of a report
_LOOKUP = {
    "atom": "lookup.atom_stability",
    "molecule": "lookup.molecule_stability",
    "valid": "lookup.validity",
    "valid_unique": "lookup.valid_unique",
}
_GRAPH = {
    "molecule": "graph.molecule_stability",
    "valid": "graph.validity",
    "strict": "graph.strict_validity",
    "unique": "graph.uniqueness",
    "vu": "graph.strict_unique",
    "vun": "graph.valid_unique_novel",
}
_GEOMETRY = (
    ("PoseBusters `mol` pass, all samples", "posebusters.pass_rate", 100, " %"),
    ("PoseBusters `mol` pass, among strictly valid", "posebusters.pass_of_valid", 100, " %"),
    ("MMFF94 energy drop on relaxing, median", "relaxation.drop_median", 1, " kcal/mol"),
    ("heavy-atom RMSD on relaxing, median", "relaxation.rmsd_median", 1, " Å"),
)


def results_section(report: Mapping[str, Any], published: Path) -> str:
    """Return the section for a report (``Report.to_dict``) and a file of published rows."""
    import yaml

    rows = yaml.safe_load(published.read_text(encoding="utf-8"))
    metrics = report["metrics"]
    parts = [
        f"{report['n']:,} samples, no filter; {_versions(report['versions'])}. In per cent.",
        "**EDM's look-up** (bonds inferred from distances):",
        _table(
            ("", "steps", "atom stability", "molecule stability", "valid", "valid × unique"),
            rows["lookup"],
            metrics,
            _LOOKUP,
        ),
        "**Predicted graph** (the model's own bonds and charges; *strictly valid* is "
        "defined above and published by nobody else):",
        _table(
            (
                *("", "steps", "molecule stability", "valid", "strictly valid"),
                *("unique", "strictly valid × unique", "valid × unique × novel"),
            ),
            rows["graph"],
            metrics,
            _GRAPH,
        ),
        "**Geometry**:",
        "\n".join(
            [
                _row(("", "moldiff", "data", "molecules")),
                _row(("---",) * 4),
                *(_row(_geometry(metrics[row[1]], *row)) for row in _GEOMETRY),
            ]
        ),
        "† quoted second-hand, not re-read in the paper. Sources of the published rows: "
        "`datasets/qm9/published.yaml`.",
    ]
    return "\n\n".join(parts) + "\n"


def _versions(versions: Mapping[str, str | None]) -> str:
    shown = {"moldiff": "moldiff", "rdkit": "RDKit", "posebusters": "PoseBusters"}
    return ", ".join(f"{name} {versions[key]}" for key, name in shown.items() if versions.get(key))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _table(
    head: Sequence[str],
    published: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    columns: Mapping[str, str],
) -> str:
    ours = [_percent(metrics[key]["value"]) for key in columns.values()]
    data = [_percent((metrics[key]["data"] or {}).get("value")) for key in columns.values()]
    lines = [
        _row(head),
        _row(("---",) * len(head)),
        _row(("QM9 test split", "", *data)),
        _row(("**moldiff**", "", *ours)),
    ]
    for entry in published:
        mark = "†" if entry.get("second_hand") else ""
        cells = ["–" if entry.get(c) is None else f"{entry[c]}{mark}" for c in columns]
        lines.append(_row((entry["name"], str(entry["steps"]), *cells)))
    return "\n".join(lines)


def _geometry(
    metric: Mapping[str, Any], label: str, key: str, factor: float, unit: str
) -> tuple[str, ...]:
    def shown(entry: Mapping[str, Any] | None) -> str:
        if entry is None or entry.get("value") is None:
            return "–"
        return f"{entry['value'] * factor:.{1 if factor == 100 else 3}f}{unit}"

    return (label, shown(metric), shown(metric["data"]), str(metric["n"]))
