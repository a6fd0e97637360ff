"""Sets of molecules side by side: every metric of each, as a table and a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import InputError, MissingExtraError, unknown_suffix
from moldiff.io import Source, records_of
from moldiff.keywords import keywords_of
from moldiff.metrics.evaluation import Report, evaluate
from moldiff.metrics.show import figures, title
from moldiff.metrics.table import METRICS
from moldiff.text import csv_text, replace_text

if TYPE_CHECKING:
    import pandas

__all__ = ["Comparison", "compare"]

# Of the light page of `moldiff.report`: a picture is shown on white.
_COLOURS = ("#2f62d9", "#c2570c", "#14804a", "#a02c9a", "#0b7f8e", "#b3261e", "#6b5bd2", "#6f6a1f")
_LEFT, _WIDE, _LINE, _TOP = 230, 380, 13, 34  # px: labels, plot, a set, above the first metric


@dataclass(frozen=True)
class Comparison:
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

    def to_frame(self) -> pandas.DataFrame:
        """Return `rows` as a data frame of pandas; ``MissingExtraError`` without pandas."""
        if find_spec("pandas") is None:
            raise MissingExtraError("pandas", "frame", "A data frame")
        import pandas

        return pandas.DataFrame(self.rows())

    def table(self) -> list[tuple[str, ...]]:
        """Return the table as text: a metric a row, then value and interval of each set."""
        rows = []
        for key, metric in METRICS.items():
            cells = [figures(report.values[key], metric.unit) for report in self.reports.values()]
            if any(number != "–" for number, _, _ in cells):
                shown = (
                    f"{number} ({low_high})" if low_high else number
                    for number, low_high, _ in cells
                )
                rows.append((title(metric.label, metric.unit), *shown))
        return rows

    def svg(self) -> str:
        """Return the rates of all sets with their 95 % intervals as a picture."""
        shown = [key for key in METRICS if self._drawn(key)]
        step = _LINE * len(self.reports) + 8
        height = _TOP + step * len(shown) + 26
        parts = [*self._legend(), *_axis(height)]
        for row, key in enumerate(shown):
            top = _TOP + row * step
            parts.append(
                f'<text x="{_LEFT - 12}" y="{top + step / 2}" text-anchor="end" '
                f'dominant-baseline="middle">{html.escape(METRICS[key].label)}</text>'
            )
            parts += self._marks(key, top)
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
        path = Path(path)
        kinds = {".svg": self.svg, ".csv": lambda: csv_text(self.rows()), ".html": self._repr_html_}
        if path.suffix.lower() not in kinds:
            raise unknown_suffix("A comparison", path, kinds)
        replace_text(path, kinds[path.suffix.lower()]())
        return path

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ("metric", *self.reports))
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.table()
        )
        return f'<meta charset="utf-8"><table><tr>{head}</tr>{body}</table>{self.svg()}'

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


@keywords_of(evaluate)
def compare(sets: Mapping[str, Source | Report], **options: Any) -> Comparison:
    """Measure sets of molecules and put them side by side, each as `moldiff.evaluate` does.

    >>> moldiff.compare({"default": a, "mine": b}).save("both.svg")  # doctest: +SKIP

    Parameters
    ----------
    sets:
        Name -> molecules (results, records, RDKit molecules, SMILES, files), or their report.

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
    return Comparison({str(name): _report(name, one, options) for name, one in sets.items()})


def _report(name: object, one: Source | Report, options: Mapping[str, Any]) -> Report:
    """The report of a set; ``InputError`` names the set if it has no molecules."""
    if isinstance(one, Report):
        return one
    items = list(records_of(one))
    if not items:
        raise InputError(
            f"The set '{name}' has no molecules to compare.", fix="Leave it out, or fill it."
        )
    return evaluate(items, **options)
