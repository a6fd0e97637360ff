"""Sets of molecules side by side: every metric of each, as a table and a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import InputError
from moldiff.io import Source, records_of
from moldiff.keywords import keywords_of
from moldiff.metrics.evaluation import Report, evaluate
from moldiff.metrics.parallel import Progress
from moldiff.metrics.show import as_text, carries, figures, left_out, title
from moldiff.metrics.study import PROTOCOLS
from moldiff.metrics.table import METRICS, Metric
from moldiff.metrics.value import missing
from moldiff.tabular import Tabular, save_as
from moldiff.verbs import verb

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Comparison", "compare"]

# Of the light page of `moldiff.report`: a picture is shown on white.
_COLOURS = ("#2f62d9", "#c2570c", "#14804a", "#a02c9a", "#0b7f8e", "#b3261e", "#6b5bd2", "#6f6a1f")
_LEFT, _WIDE, _LINE, _TOP = 230, 380, 13, 34  # px: labels, plot, a set, above the first metric
_HEAD = 26  # px: the title of a protocol
_STYLE = """
.moldiff-comparison { font: 14px sans-serif; border-collapse: collapse; margin: 12px }
.moldiff-comparison th, .moldiff-comparison td { padding: 2px 14px; text-align: right }
.moldiff-comparison :is(th, td):first-child { text-align: left }
.moldiff-comparison .of { padding-top: 12px; border-bottom: 1px solid #dfe3e9 }
"""


@dataclass(frozen=True)
class Comparison(Tabular):
    """Reports by the name of their set.

    A notebook shows the table and the picture; `to_frame` has a row for each set and metric.
    """

    reports: Mapping[str, Report]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each set and metric that has a value: value, 95 % interval, and n."""
        return [
            {
                "set": name,
                "metric": key,
                "label": metric.label,
                "unit": metric.unit,
                "value": (value := report.values[key]).value,
                "low": value.low,
                "high": value.high,
                "n": value.n,
            }
            for name, report in self.reports.items()
            for key, metric in METRICS.items()
            if math.isfinite(report.values[key].value)
        ]

    def __repr__(self) -> str:
        """Which sets are compared, in a line."""
        sets = ", ".join(f"{name} ({report.n})" for name, report in self.reports.items())
        return f"<Comparison of {sets}>"

    def __str__(self) -> str:
        """The table, as ``print`` shows it."""
        return as_text([self._text_table()])

    def table(self) -> list[tuple[str, ...]]:
        """Return the table as text: a metric a row, then value and interval of each set."""
        return [row for _, rows in self._sections() for row in rows]

    def _sections(self) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
        """Yield each protocol that has values, by its title: labels recur among protocols."""
        for protocol, about in PROTOCOLS.items():
            own = (self._row(m) for m in METRICS.values() if m.protocol == protocol)
            if rows := [row for row in own if row is not None]:
                yield about.title, rows

    def _row(self, metric: Metric) -> tuple[str, ...] | None:
        """Label and cells of a metric; None if no set has a value."""
        nothing = missing("too few molecules")
        cells = [
            figures(report.values[metric.name] if carries(report, metric) else nothing, metric.unit)
            for report in self.reports.values()
        ]
        if all(number == "–" for number, _, _ in cells):
            return None
        shown = (f"{number} ({low_high})" if low_high else number for number, low_high, _ in cells)
        return (title(metric.label, metric.unit), *shown)

    def _left_out(self) -> list[str]:
        return left_out(self.reports.values(), "to_frame()")

    def _text_table(self) -> Table:
        from rich.markup import escape
        from rich.table import Table

        table = Table(caption="\n".join(self._left_out()) or None)
        table.add_column("metric")
        for name in self.reports:
            table.add_column(escape(name), justify="right")
        for heading, rows in self._sections():
            table.add_section()
            table.add_row(f"[bold]{heading}[/bold]")
            for label, *cells in rows:
                table.add_row(f"  {label}", *cells)
        return table

    def svg(self) -> str:
        """Return the rates of all sets with their 95 % intervals as a picture."""
        step, top = _LINE * len(self.reports) + 8, _TOP
        rows: list[str] = []
        for protocol, about in PROTOCOLS.items():
            shown = [key for key in METRICS if METRICS[key].protocol == protocol]
            shown = [key for key in shown if self._drawn(key)]
            if shown:  # the labels of protocols are alike
                rows.append(
                    f'<text x="12" y="{top + _HEAD - 6}" font-weight="bold">'
                    f"{html.escape(about.title)}</text>"
                )
                top += _HEAD
            for key in shown:
                rows.append(
                    f'<text x="{_LEFT - 12}" y="{top + step / 2}" text-anchor="end" '
                    f'dominant-baseline="middle">{html.escape(METRICS[key].label)}</text>'
                )
                rows += self._marks(key, top)
                top += step
        height = top + 26
        parts = [*self._legend(), *_axis(height), *rows]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDE + 30} {height}" '
            f'width="{_LEFT + _WIDE + 30}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
        )

    def save(self, path: str | Path) -> Path:
        """Write the picture (.svg), the rows (.csv), or both as a page (.html); return the path.

        Raises
        ------
        InputError
            If it cannot be written, or has another suffix.
        """
        texts = {".svg": self.svg, ".csv": self.to_csv, ".html": self._repr_html_}
        return save_as(path, texts, "A comparison")

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ("metric", *self.reports))
        body = ""
        for heading, rows in self._sections():
            wide = len(self.reports) + 1
            body += f'<tr><th class="of" colspan="{wide}">{html.escape(heading)}</th></tr>'
            for row in rows:
                body += f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
        table = f'<table class="moldiff-comparison"><tr>{head}</tr>{body}</table>'
        table += "".join(f"<p>{html.escape(line)}</p>" for line in self._left_out())
        return f'<meta charset="utf-8"><style>{_STYLE}</style>{table}{self.svg()}'

    def _drawn(self, key: str) -> bool:
        """Whether a metric is a rate that some set has, and for which more or less is better."""
        values = [report.values[key].value for report in self.reports.values()]
        metric = METRICS[key]
        return (
            metric.unit == "rate"
            and metric.direction != "neither"
            and any(map(math.isfinite, values))
        )

    def _marks(self, key: str, top: float) -> Iterator[str]:
        for k, report in enumerate(self.reports.values()):
            value, colour = report.values[key], _COLOURS[k % len(_COLOURS)]
            y = top + _LINE * (k + 0.5) + 4
            if not math.isfinite(value.value):
                continue
            if value.low is not None and value.high is not None:
                ends = f'x1="{_place(value.low)}" x2="{_place(value.high)}"'
                yield f'<line {ends} y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            yield f'<circle cx="{_place(value.value)}" cy="{y}" r="4" fill="{colour}"/>'

    def _legend(self) -> Iterator[str]:
        x = float(_LEFT)
        for k, name in enumerate(self.reports):
            yield f'<circle cx="{x + 5}" cy="14" r="4" fill="{_COLOURS[k % len(_COLOURS)]}"/>'
            yield f'<text x="{x + 14}" y="18">{html.escape(name)}</text>'
            x += 34 + 7 * len(name)


def _place(share: float) -> float:
    return round(_LEFT + _WIDE * share, 1)


def _axis(height: int) -> Iterator[str]:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _place(share)
        yield f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{height - 22}" stroke="#dfe3e9"/>'
        yield f'<text x="{x}" y="{height - 6}" text-anchor="middle">{100 * share:.0f} %</text>'


@verb
@keywords_of(evaluate)
def compare(
    sets: Mapping[str, Source | Report], *, progress: Progress | None = None, **options: Any
) -> Comparison:
    """Measure sets of molecules and put them side by side, each as `moldiff.evaluate` does.

    >>> moldiff.compare({"default": a, "mine": b}).save("both.svg")  # doctest: +SKIP

    Parameters
    ----------
    sets:
        Name -> molecules (results, records, RDKit molecules, SMILES, files), or their report.
    progress:
        Called as ``progress(stage, done, total)``; the stage names the set: "mine: relaxation".

    Raises
    ------
    InputError, DataError
        As `moldiff.evaluate`; or if there is no set.
    """
    if not isinstance(sets, Mapping) or not sets:
        raise InputError(
            "A comparison takes sets of molecules by name.",
            fix='Write compare({"default": a, "mine": b}).',
        )
    return Comparison(
        {str(name): _report(name, one, progress, options) for name, one in sets.items()}
    )


def _report(
    name: object, one: Source | Report, progress: Progress | None, options: Mapping[str, Any]
) -> Report:
    """The report of a set; ``InputError`` names the set if it has no molecules."""

    def tell(stage: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{name}: {stage}", done, total)

    if isinstance(one, Report):
        return one
    items = list(records_of(one))
    if not items:
        raise InputError(
            f"The set '{name}' has no molecules to compare.", fix="Leave it out, or fill it."
        )
    return evaluate(items, progress=tell, **options)
