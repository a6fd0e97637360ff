"""Reports as the Markdown section of a README, beside published figures.

Reports of equal steps are one row: the mean over seeds, and how far seeds are apart.
"""

from __future__ import annotations

import json
import re
import statistics
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


_Report = Mapping[str, Any]


def results_section(reports: Sequence[_Report], published: Path) -> str:
    """Return the section for reports (``Report.to_dict``) and a file of published rows.

    The first report's steps are the model's own: the facts above the tables and the geometry are
    of the reports that share them; those with other steps have a row of their own.
    """
    import yaml

    rows = yaml.safe_load(published.read_text(encoding="utf-8"))
    groups: dict[str, list[_Report]] = {}
    for report in reports:
        groups.setdefault(", ".join(_made(report, "steps")), []).append(report)
    main = next(iter(groups.values()))
    head = f"{'; '.join(_facts(main))}. In per cent"
    parts = [
        head + ("; mean ± standard deviation over the seeds." if len(main) > 1 else "."),
        "**EDM's look-up** (bonds inferred from distances):",
        _table(
            ("", "steps", "atom stability", "molecule stability", "valid", "valid × unique"),
            groups,
            rows["lookup"],
            _LOOKUP,
        ),
        "**Predicted graph** (the model's own bonds and charges; *strictly valid* is "
        "defined above):",
        _table(
            (
                *("", "steps", "molecule stability", "valid", "strictly valid"),
                *("unique", "strictly valid × unique", "valid × unique × novel"),
            ),
            groups,
            rows["graph"],
            _GRAPH,
        ),
        "**Geometry**:",
        "\n".join(
            [
                _row(("", "moldiff", "data", "molecules")),
                _row(("---",) * 4),
                # reports of older versions lack some
                *(
                    _row(_geometry([r["metrics"][row[1]] for r in having], *row))
                    for row in _GEOMETRY
                    if (having := [r for r in main if row[1] in r["metrics"]])
                ),
            ]
        ),
        "† quoted second-hand, not re-read in the paper. Sources of the published rows: "
        "`datasets/qm9/published.yaml`.",
    ]
    return "\n\n".join(parts) + "\n"


def _facts(reports: Sequence[_Report]) -> Iterator[str]:
    """What a reader needs to judge or repeat the numbers, as far as the reports know it."""
    report = reports[0]
    each = " for each seed" if len(reports) > 1 else ""
    yield f"{report['n']:,} samples{each}{_filter(_values(report, 'request', 'keep_valid'))}"
    for tag in ("model", "seed", "steps"):
        values = list(dict.fromkeys(v for r in reports for v in _made(r, tag)))
        if values:
            yield f"{tag}{'s' if tag == 'seed' and each else ''} {', '.join(values)}"
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


def _shown(values: Sequence[float | None], factor: float, digits: int) -> str:
    """The mean of what is known, with the standard deviation where there are several."""
    known = [factor * v for v in values if v is not None]
    if not known:
        return "–"
    spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.{digits}f}{spread}"


def _table(
    head: Sequence[str],
    groups: Mapping[str, Sequence[_Report]],
    published: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
) -> str:
    """The data's row, ours by number of steps, then others'."""
    first = next(iter(groups.values()))[0]
    known = [(first["metrics"][key]["data"] or {}).get("value") for key in columns.values()]
    data = [_shown([value], 100, 1) for value in known]
    lines = [_row(head), _row(("---",) * len(head))]
    lines.append(_row((_data_name(first["reference"]), "", *data)))
    for steps, reports in groups.items():
        values = ([r["metrics"][key]["value"] for r in reports] for key in columns.values())
        lines.append(_row(("**moldiff**", steps, *(_shown(v, 100, 1) for v in values))))
    for entry in published:
        mark = "†" if entry.get("second_hand") else ""
        cells = ["–" if entry.get(c) is None else f"{entry[c]}{mark}" for c in columns]
        lines.append(_row((entry["name"], str(entry["steps"]), *cells)))
    return "\n".join(lines)


def _geometry(
    found: Sequence[Mapping[str, Any]], label: str, key: str, factor: float, unit: str
) -> tuple[str, ...]:
    digits = 1 if factor == 100 else 3
    ours = _shown([entry["value"] for entry in found], factor, digits)
    data = _shown([(found[0]["data"] or {}).get("value")], factor, digits)
    cells = (cell if cell == "–" else cell + unit for cell in (ours, data))
    return (label, *cells, str(sum(entry["n"] for entry in found)))
