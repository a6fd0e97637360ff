"""Reports as tables for the terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from moldiff.metrics.kept import LABELS
from moldiff.metrics.relaxation import SUBSETS
from moldiff.metrics.study import PROTOCOLS
from moldiff.metrics.table import METRICS, Metric
from moldiff.metrics.value import Value

if TYPE_CHECKING:
    from rich.table import Table

    from moldiff.metrics.evaluation import Report

__all__ = [
    "CARRIED",
    "as_html",
    "as_text",
    "bands_table",
    "carries",
    "figures",
    "kept_table",
    "left_out",
    "metrics_table",
    "title",
]

CARRIED = 20
"""Molecules from which a part of a set is shown by itself; figures of fewer are mostly chance."""

_ENOUGH = SUBSETS * CARRIED
_DISTANCES = "distributions"  # the protocol whose values have no interval to say what is chance
_OVER_SUBSETS = ("mean", "deviation")
_PERCENT = ("rate", "points")
_DIGITS = {"rate": 1, "points": 1, "kcal/mol": 2, "Å": 4, "degrees": 2, "count": 3}


def metrics_table(report: Report) -> Table:
    """All metrics beside the data's own row; of a group without a figure, its title alone."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{report.n} molecules", caption=escape(_caption(report)))
    table.add_column("metric")
    for head in ("value", "95 %", "of", *(["data"] if report.reference else [])):
        table.add_column(head, justify="right")
    row = {} if report.reference is None else report.reference.row
    for protocol, about in PROTOCOLS.items():
        table.add_section()
        group = {name: metric for name, metric in METRICS.items() if metric.protocol == protocol}
        shown = (report.values[name] for name, one in group.items() if carries(report, one))
        measured = any(value.reason is None for value in shown)
        table.add_row(f"[bold]{about.title}[/bold]", *([] if measured else ["–"]))
        for name, metric in group.items() if measured else ():
            cells = figures(report.values[name], metric.unit)
            data = [_number(row[name].value, metric.unit)] if name in row else []
            table.add_row(f"  {title(metric.label, metric.unit)}", *cells, *data)
            _add_subsets(table, report, metric)
    return table


def _add_subsets(table: Table, report: Report, metric: Metric) -> None:
    """Mean and standard deviation over subsets, where there are any."""
    own = metric.name.split(".")[1]
    ours = report.details.get(metric.protocol, {})
    theirs = {} if report.reference is None else report.reference.details.get(metric.protocol, {})
    if f"{own}.mean" not in ours or ours[f"{own}.mean"].n < _ENOUGH:
        return
    cells = [
        " ± ".join(_number(details[f"{own}.{word}"].value, metric.unit) for word in _OVER_SUBSETS)
        if f"{own}.mean" in details
        else ""
        for details in (ours, theirs)
    ]
    n = str(ours[f"{own}.mean"].n)
    table.add_row("    over five subsets", cells[0], "", n, *cells[1 : 1 + bool(report.reference)])


def carries(report: Report, metric: Metric) -> bool:
    """Return whether a set is large enough for a metric to be shown.

    A Wasserstein distance of few molecules is far from 0 whatever they are of, and has no interval
    that would say so.
    """
    counted = report.values[f"{_DISTANCES}.atom_count"]  # its n is molecules, others count bonds
    return metric.protocol != _DISTANCES or bool(counted.reason) or counted.n >= _ENOUGH


def left_out(reports: Iterable[Report], where: str) -> list[str]:
    """Return the line that says what is left out of sets that are too small, if anything is."""
    if all(carries(report, metric) for report in reports for metric in METRICS.values()):
        return []
    heading = PROTOCOLS[_DISTANCES].title
    return [f"{heading}: left out of fewer than {_ENOUGH} molecules; {where} has it"]


def bands_table(report: Report) -> Table:
    """The metrics of each band of sizes, with their intervals, beside the data's of that band."""
    from rich.table import Table

    known = {} if report.reference is None else report.reference.bands
    table = Table(title="By number of heavy atoms")
    table.add_column("metric")
    for band in report.bands:
        for head in (band, *(["data"] if band in known else [])):
            table.add_column(head, justify="right")
    counts = [
        [str(values["graph.validity"].n)]
        + ([str(known[band]["graph.validity"].n)] if band in known else [])
        for band, values in report.bands.items()
    ]
    table.add_row("molecules", *(cell for cells in counts for cell in cells))
    names = next(iter(report.bands.values()), {})
    for protocol, about in PROTOCOLS.items():
        rows = [
            _band_row(report, name)
            for name in names
            if METRICS[name].protocol == protocol
            and any(values[name].reason is None for values in report.bands.values())
        ]
        if rows:
            table.add_section()
            table.add_row(f"[bold]{about.title}[/bold]")
        for row in rows:
            table.add_row(*row)
    return table


def kept_table(report: Report) -> Table:
    """What of a part is kept, with intervals."""
    from rich.table import Table

    table = Table(title="The part that was to be kept")
    table.add_column("")
    for head in ("value", "95 %", "of"):
        table.add_column(head, justify="right")
    for name, value in report.kept.items():
        label, unit = LABELS[name]
        table.add_row(title(label, unit), *figures(value, unit))
    return table


def _band_row(report: Report, name: str) -> list[str]:
    """A metric of each band, and of the data of that band."""
    metric = METRICS[name]
    known = {} if report.reference is None else report.reference.bands
    cells = [f"  {title(metric.label, metric.unit)}"]
    for band, values in report.bands.items():
        number, interval, _ = figures(values[name], metric.unit)
        cells.append(f"{number} ({interval})" if interval else number)
        if band in known:
            data = known[band].get(name)
            cells.append(_number(None if data is None else data.value, metric.unit))
    return cells


def _caption(report: Report) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items() if number)
    lines = [f"{report.seconds['total']:.1f} s; {versions}"]
    if report.reference is not None:
        lines.append(f"data: {report.reference.info.get('row', report.reference.name)}")
    shown = [v for name, v in report.values.items() if carries(report, METRICS[name])]
    lines += [f"–: {reason}" for reason in sorted({v.reason for v in shown if v.reason})]
    lines += left_out([report], "the JSON report")
    details = (entry for own in report.details.values() for entry in own.items())
    means = [value for name, value in details if name.endswith(".mean") and not value.reason]
    if any(value.n < _ENOUGH for value in means):
        few = f"fewer than {CARRIED} molecules"
        lines.append(f"over five subsets: left out where these have {few}; the JSON report has it")
    return "\n".join([*lines, *report.warnings])


def _number(value: float | None, unit: str) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value * (100 if unit in _PERCENT else 1):.{_DIGITS[unit]}f}"


def figures(value: Value, unit: str) -> list[str]:
    """Return a value, its interval and its sample size as text."""
    known = value.low is not None and value.high is not None
    interval = f"{_number(value.low, unit)} to {_number(value.high, unit)}" if known else ""
    return [_number(value.value, unit), interval, str(value.n) if value.n else ""]


def title(label: str, unit: str) -> str:
    """Return the label of a metric with its unit."""
    shown = {"rate": "%", "points": "percentage points", "count": ""}.get(unit, unit)
    return f"{label}, {shown}" if shown else label


def as_text(tables: Iterable[Table]) -> str:
    """Return tables as plain text, 120 characters wide at most."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as shown:
        for table in tables:
            console.print(table)
    return shown.get().rstrip("\n")


def as_html(tables: Iterable[Table]) -> str:
    """Return tables as HTML of fixed width, each 120 characters wide at most."""
    from rich.console import Console

    console = Console(file=io.StringIO(), record=True, width=120)
    for table in tables:
        console.print(table)
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
