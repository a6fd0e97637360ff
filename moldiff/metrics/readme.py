"""Reports as the Markdown section of a README, beside published figures.

Reports of one model and equal steps are one row: the mean over seeds, and how far they are apart.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from moldiff.report.markdown import markdown_table

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
_COMPOSITION = tuple(
    (label, f"composition.{name}", factor, " %" if factor == 100 else "")
    for label, name, factor in (
        ("aromatic", "aromatic", 100),
        ("acyclic", "acyclic", 100),
        ("with a triple bond", "triple_bond", 100),
        ("with a formal charge", "charged", 100),
        ("N atoms", "nitrogens", 1),
        ("O atoms", "oxygens", 1),
        ("F atoms", "fluorines", 1),
        ("heavy atoms", "heavy_atoms", 1),
        ("rings", "rings", 1),
        ("rings of three", "rings_3", 1),
        ("rings of four", "rings_4", 1),
        ("rings of five", "rings_5", 1),
        ("rings of six", "rings_6", 1),
        ("larger rings", "rings_7_up", 1),
        ("total variation distance of elements", "element_distance", 100),
        ("total variation distance of charges", "charge_distance", 100),
        ("total variation distance of ring sizes", "ring_size_distance", 100),
        ("total variation distance of numbers of heavy atoms", "heavy_atoms_distance", 100),
    )
)


_Report = Mapping[str, Any]
_Groups = Mapping[tuple[str, str], Sequence[_Report]]  # by the model's name and the steps


def results_section(reports: Sequence[_Report], published: Path) -> str:
    """Return the section for reports (``Report.to_dict``) and a file of published rows.

    The steps of a model's first report are its own: the facts above the tables and the geometry
    are of the reports that share them; those with other steps have a row of their own.
    """
    import yaml

    rows = yaml.safe_load(published.read_text(encoding="utf-8"))
    groups: dict[tuple[str, str], list[_Report]] = {}
    for report in reports:
        key = _name(report), ", ".join(_provenance(report, "steps"))
        groups.setdefault(key, []).append(report)
    own: dict[str, list[_Report]] = {}  # by model
    for (name, _), group in groups.items():
        own.setdefault(name, group)
    several = any(len(group) > 1 for group in own.values())
    parts = [
        "\n\n".join(f"{'; '.join(_facts(group))}." for group in own.values()),
        f"In per cent{'; mean ± standard deviation over the seeds' if several else ''}.",
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
        _columns(own, _GEOMETRY),
        *_composition(own),
        "† quoted second-hand, not re-read in the paper. Sources of the published rows: "
        "`datasets/qm9/published.yaml`.",
    ]
    return "\n\n".join(parts) + "\n"


def _name(report: _Report) -> str:
    """The model's name without its digest; "" where it is not known."""
    return next((words.split()[0] for words in _provenance(report, "model") if words), "")


def _label(name: str, models: Iterable[str]) -> str:
    """Ours, with the model's name where there are several."""
    return f"**moldiff** {name}" if len(set(models)) > 1 else "**moldiff**"


def _facts(reports: Sequence[_Report]) -> Iterator[str]:
    """What a reader needs to judge or repeat the numbers, as far as the reports know it."""
    report = reports[0]
    each = " for each seed" if len(reports) > 1 else ""
    yield f"{report['n']:,} samples{each}{_filter(_values(report, 'request', 'keep_valid'))}"
    for tag in ("model", "seed", "steps"):
        values = list(dict.fromkeys(v for r in reports for v in _provenance(r, tag)))
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
    hydrogens = [text for text in _provenance(report, "hydrogens") if text]
    if hydrogens:
        yield f"hydrogens {', '.join(hydrogens)}"
    if report["versions"].get("cpu"):
        yield report["versions"]["cpu"]
    yield _versions(report["versions"])


def _plain(temperature: Any) -> str:
    """A temperature, or those of some fields."""
    if not isinstance(temperature, Mapping):
        return str(temperature)
    return " and ".join(f"{value} ({field})" for field, value in temperature.items())


def _provenance(report: Mapping[str, Any], tag: str) -> list[str]:
    """Values of a tag of the molecules; reports of older versions have none."""
    return list(report.get("provenance", {}).get(tag, []))


def _values(report: Mapping[str, Any], tag: str, key: str) -> list[Any]:
    """Distinct values of ``key`` in a tag that holds JSON; nothing where it is not there."""
    values: list[Any] = []
    for text in _provenance(report, tag):
        try:
            values.append(json.loads(text)[key])
        except (ValueError, KeyError, TypeError):
            continue
    return [value for k, value in enumerate(values) if value not in values[:k]]


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
    labels = {"moldiff": "moldiff", "rdkit": "RDKit", "posebusters": "PoseBusters"}
    return ", ".join(f"{name} {versions[key]}" for key, name in labels.items() if versions.get(key))


def _shown(values: Sequence[float | None], factor: float, digits: int) -> str:
    """The mean of what is known, with the standard deviation where there are several."""
    known = [factor * v for v in values if v is not None]
    if not known:
        return "–"
    spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.{digits}f}{spread}"


def _table(
    head: Sequence[str],
    groups: _Groups,
    published: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
) -> str:
    """The data's row, ours by number of steps, then others'."""
    first = next(iter(groups.values()))[0]
    known = [(first["metrics"][key]["data"] or {}).get("value") for key in columns.values()]
    data = [_shown([value], 100, 1) for value in known]
    rows = [(_data_name(first["reference"]), "", *data)]
    for (name, steps), reports in groups.items():
        values = ([r["metrics"][key]["value"] for r in reports] for key in columns.values())
        label = _label(name, (model for model, _ in groups))
        rows.append((label, steps, *(_shown(v, 100, 1) for v in values)))
    for entry in published:
        mark = "†" if entry.get("second_hand") else ""
        cells = ["–" if entry.get(c) is None else f"{entry[c]}{mark}" for c in columns]
        rows.append((entry["name"], str(entry["steps"]), *cells))
    return markdown_table(head, rows)


def _composition(own: Mapping[str, Sequence[_Report]]) -> list[str]:
    """What the molecules are made of; nothing where every report is older than that."""
    keys = {key for reports in own.values() for report in reports for key in report["metrics"]}
    if not keys & {key for _, key, *_ in _COMPOSITION}:
        return []
    heading = "**Composition** (shares of the molecules, and atoms and rings per molecule):"
    return [heading, _columns(own, _COMPOSITION)]


def _columns(
    own: Mapping[str, Sequence[_Report]], rows: Iterable[tuple[str, str, float, str]]
) -> str:
    """A table with a column for each model beside the data's."""
    return markdown_table(
        ("", *(_label(name, own) for name in own), "data", "molecules of each"),
        (cells for row in rows if (cells := _row(own.values(), *row))),
    )


def _row(
    models: Iterable[Sequence[_Report]], label: str, key: str, factor: float, unit: str
) -> tuple[str, ...]:
    """A row, one cell for each model; none where every report lacks the metric."""
    # reports of older versions lack some
    by_model = [[r["metrics"][key] for r in reports if key in r["metrics"]] for reports in models]
    known = [entry for entries in by_model for entry in entries]
    if not known:
        return ()
    digits = 1 if factor == 100 else 3
    values = [[entry["value"] for entry in entries] for entries in by_model]
    values.append([(known[0]["data"] or {}).get("value")])
    cells = [_shown(each, factor, digits) for each in values]
    counts = [str(sum(e["n"] for e in entries)) if entries else "–" for entries in by_model]
    if len(set(counts)) == 1:  # else one of each model, in the order of the columns
        del counts[1:]
    return (label, *(c if c == "–" else c + unit for c in cells), ", ".join(counts))
