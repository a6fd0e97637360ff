"""A report as the Markdown section of a README, beside published figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
    ("GFN2-xTB energy drop on relaxing, median", "xtb.drop_median", 1, " kcal/mol"),
    ("heavy-atom RMSD on relaxing with GFN2-xTB, median", "xtb.rmsd_median", 1, " Å"),
)


def results_section(report: Mapping[str, Any], published: Path) -> str:
    """Return the section for a report (``Report.to_dict``) and a file of published rows."""
    import yaml

    rows = yaml.safe_load(published.read_text(encoding="utf-8"))
    metrics, data = report["metrics"], _data_name(report["reference"])
    steps = ", ".join(_made(report, "steps"))
    parts = [
        f"{'; '.join(_facts(report))}. In per cent.",
        "**EDM's look-up** (bonds inferred from distances):",
        _table(
            ("", "steps", "atom stability", "molecule stability", "valid", "valid × unique"),
            ((data, ""), ("**moldiff**", steps)),
            rows["lookup"],
            metrics,
            _LOOKUP,
        ),
        "**Predicted graph** (the model's own bonds and charges; *strictly valid* is "
        "defined above):",
        _table(
            (
                *("", "steps", "molecule stability", "valid", "strictly valid"),
                *("unique", "strictly valid × unique", "valid × unique × novel"),
            ),
            ((data, ""), ("**moldiff**", steps)),
            rows["graph"],
            metrics,
            _GRAPH,
        ),
        "**Geometry**:",
        "\n".join(
            [
                _row(("", "moldiff", "data", "molecules")),
                _row(("---",) * 4),
                # reports of older versions lack some
                *(_row(_geometry(metrics[row[1]], *row)) for row in _GEOMETRY if row[1] in metrics),
            ]
        ),
        "† quoted second-hand, not re-read in the paper. Sources of the published rows: "
        "`datasets/qm9/published.yaml`.",
    ]
    return "\n\n".join(parts) + "\n"


def _facts(report: Mapping[str, Any]) -> Iterator[str]:
    """What a reader needs to judge or repeat the numbers, as far as the report knows it."""
    yield f"{report['n']:,} samples{_filter(_values(report, 'request', 'keep_valid'))}"
    for tag in ("model", "seed", "steps"):
        values = _made(report, tag)
        if values:
            yield f"{tag} {', '.join(values)}"
    temperatures = _values(report, "sampling", "temperature")
    if temperatures not in ([], [1.0]):
        yield f"temperature {', '.join(str(t) for t in temperatures)}"
    early = [t for t in _values(report, "sampling", "early_temperature") if t is not None]
    if early:
        yield f"falling from {', '.join(_plain(t) for t in early)}"
    valence = [t for t in _values(report, "sampling", "valence") if t]
    if valence:
        yield f"valence guidance from t = {', '.join(str(t) for t in valence)}"
    if report["versions"].get("cpu"):
        yield report["versions"]["cpu"]
    yield _versions(report["versions"])
    if report.get("seconds", {}).get("total"):
        yield f"evaluated in {report['seconds']['total']:.0f} s"


def _plain(temperature: Any) -> str:
    """A temperature, or those of some fields."""
    if not isinstance(temperature, Mapping):
        return str(temperature)
    return " and ".join(f"{value} ({field})" for field, value in temperature.items())


def _made(report: Mapping[str, Any], tag: str) -> list[str]:
    """Values of a tag of the molecules; reports of older versions have none."""
    return list(report.get("provenance", {}).get(tag, []))


def _values(report: Mapping[str, Any], tag: str, key: str) -> list[Any]:
    """Distinct values of ``key`` in a tag that holds JSON; nothing where it is not there."""
    found: list[Any] = []
    for text in _made(report, tag):
        try:
            found.append(json.loads(text)[key])
        except (ValueError, KeyError, TypeError):
            continue
    return [value for k, value in enumerate(found) if value not in found[:k]]


def _filter(keep_valid: Sequence[Any]) -> str:
    if not keep_valid:
        return ""  # another generator's, or an older version's: not known
    return ", only strictly valid ones kept" if any(keep_valid) else ", no filter"


def _data_name(reference: Mapping[str, Any] | None) -> str:
    """``QM9 itself (validation split)``: the data, and which molecules of it were measured."""
    if reference is None:
        return "data"
    split = re.search(r"\w+ split", str(reference.get("row", "")))
    name = f"{str(reference['name']).upper()} itself"
    return f"{name} ({split[0]})" if split else name


def _versions(versions: Mapping[str, str | None]) -> str:
    shown = {"moldiff": "moldiff", "rdkit": "RDKit", "posebusters": "PoseBusters"}
    return ", ".join(f"{name} {versions[key]}" for key, name in shown.items() if versions.get(key))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _table(
    head: Sequence[str],
    names: Sequence[tuple[str, str]],
    published: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    columns: Mapping[str, str],
) -> str:
    """Two rows of the report (``names``: the data's and ours, with their steps), then others'."""
    ours = [_percent(metrics[key]["value"]) for key in columns.values()]
    data = [_percent((metrics[key]["data"] or {}).get("value")) for key in columns.values()]
    lines = [
        _row(head),
        _row(("---",) * len(head)),
        *(_row((*name, *cells)) for name, cells in zip(names, (data, ours), strict=True)),
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
