"""Line charts as HTML and SVG, for pages that load nothing and have to fit a telephone.

The SVG holds lines alone and is stretched to the width of the page; the labels around it are HTML,
so that they keep their size.  Colours come from the style of the page: the k-th curve of a chart
has the class ``ck``.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Axis", "Curve", "line_chart", "number", "thinned", "trend"]

_POINTS = 400  # points of a drawn curve, at most
_DOTS = 30  # curves of up to so many points have their points marked
_TREND = 60  # points of the trend of a curve, which has to have twice as many
_TICKS = 5
_SIZE = 1000  # of the SVG's own coordinates
_COLOURS = 8

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Values by step, in order; those that are not finite interrupt the line."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from ``low`` to ``high``."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], *, log: bool = False) -> Axis:
        """Return the axis of finite values; logarithmic if ``log`` and they span a decade."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if log and low > 0 and high >= 10 * low:
            margin = (high / low) ** 0.04
            return cls(low / margin, high * margin, log=True)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - margin if low < 0 or low > margin else 0.0, high + margin)

    def place(self, value: float) -> float:
        """Return where a value is on the way from the low end, 0, to the high one, 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = _TICKS) -> list[float]:
        """Return round values on the axis, usually 2 to ``most``."""
        if self.log:
            return self._powers(most)
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]

    def _powers(self, most: int) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for digits in ((1, 2, 5), (1, 3), (1,)):
            values = [k * 10.0**p for p in range(first, last + 1) for k in digits]
            within = [v for v in values if self.low <= v <= self.high]
            if len(within) <= most:
                return within
        return within[:: -(-len(within) // most)]


def number(value: float) -> str:
    """Format a value of a chart: 0.0123, 1,234, 20k, 1.5M, 3e-06."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if unit * (10 if name == "k" else 1) <= size < 1e9:
            return f"{value / unit:.4g}{name}"
    return f"{value:,.0f}" if 1000 <= size < 1e4 else f"{value:.3g}"


def thinned(points: Sequence[Point], most: int = _POINTS) -> list[Point]:
    """Return about ``most`` of the points at most, among them the ends, the extremes and the gaps.

    Of neighbours, taken together, the lowest, the highest, and the first that is not finite stay.
    """
    if len(points) <= most:
        return list(points)
    each = 2 if all(math.isfinite(y) for _, y in points) else 3
    inner, size = points[1:-1], -(-each * len(points) // most)
    kept = [points[0]]
    for k in range(0, len(inner), size):
        group = inner[k : k + size]
        finite = [(y, j) for j, (_, y) in enumerate(group) if math.isfinite(y)]
        gap = [j for j, (_, y) in enumerate(group) if not math.isfinite(y)][:1]
        ends = [min(finite)[1], max(finite)[1]] if finite else []
        kept += [group[j] for j in sorted({*ends, *gap})]
    return [*kept, points[-1]]


def trend(points: Sequence[Point], most: int = _TREND) -> list[Point]:
    """Return medians of neighbours, at most ``most`` of them; none for less than twice as many."""
    if len(points) < 2 * most:
        return []
    size = -(-len(points) // most)
    groups = (
        [point for point in points[k : k + size] if math.isfinite(point[1])]
        for k in range(0, len(points), size)
    )
    return [(median(x for x, _ in group), median(y for _, y in group)) for group in groups if group]


def line_chart(
    title: str,
    curves: Sequence[Curve],
    *,
    end: float = 1.0,
    log: bool = False,
    noisy: bool = False,
    wide: bool = False,
) -> str:
    """Return curves over the steps of a training as an HTML figure; "" without a finite value.

    Attributes of the figure hold what a script needs to show values under a pointer: the end of
    the axis of steps, and the points of each curve by its name.

    Parameters
    ----------
    title, curves:
        What is drawn; a single curve is called what the chart is.
    end:
        Steps to which the chart extends at least, so that several charts agree.
    log:
        Take a logarithmic axis where the values span a decade.
    noisy:
        Draw the trend of long curves, too (`trend`), in bold.
    wide:
        Take a whole row of the page.
    """
    drawn = {c.name: thinned(c.points) for c in curves}
    values = [y for points in drawn.values() for _, y in points if math.isfinite(y)]
    if not values:
        return ""
    steps = Axis(0, max(end, *(x for points in drawn.values() for x, _ in points)))
    height = Axis.around(values, log=log)
    trends = {c.name: trend(c.points) if noisy else [] for c in curves}
    lines = "".join(
        _paths(f"c{k % _COLOURS}", points, trends[name], steps, height)
        for k, (name, points) in enumerate(drawn.items())
    )
    known = {name: [[int(x), _rounded(y)] for x, y in points] for name, points in drawn.items()}
    data = html.escape(json.dumps(known, separators=(",", ":")))
    return (
        f'<figure class="chart{" wide" if wide else ""}" data-end="{steps.high:.0f}" '
        f'data-curves="{data}">{_caption(title, drawn, height.log)}'
        f'<div class="plot"><svg viewBox="0 0 {_SIZE} {_SIZE}" preserveAspectRatio="none" '
        f'role="img" aria-label="{html.escape(title)}"><path class="grid" '
        f'd="{_grid(height)}"/>{lines}</svg>{_labels(steps, height)}</div></figure>'
    )


def _caption(title: str, drawn: Mapping[str, Sequence[Point]], log: bool) -> str:
    """The title and the last values, which are a legend as well where there are several curves."""
    scale = " <small>log scale</small>" if log else ""
    last = {name: number(_last(points)) for name, points in drawn.items()}
    if len(last) == 1:
        (value,) = last.values()
        return f"<figcaption>{html.escape(title)}{scale} <b>{value}</b></figcaption>"
    entries = "".join(
        f'<li class="c{k % _COLOURS}">{html.escape(name)} <b>{value}</b></li>'
        for k, (name, value) in enumerate(last.items())
    )
    return f"<figcaption>{html.escape(title)}{scale}</figcaption><ul>{entries}</ul>"


def _last(points: Sequence[Point]) -> float:
    return next((y for _, y in reversed(points) if math.isfinite(y)), math.nan)


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _at(point: Point, steps: Axis, height: Axis) -> str:
    return f"{_SIZE * steps.place(point[0]):.0f} {_SIZE * (1 - height.place(point[1])):.0f}"


def _paths(
    colour: str, points: Sequence[Point], bold: Sequence[Point], steps: Axis, height: Axis
) -> str:
    """The line, dots and trend of a curve."""
    drawn = {
        f"{colour} faint" if bold else colour: _line(points, steps, height),
        f"{colour} dots": _dots(points, steps, height),
        f"{colour} bold": _line(bold, steps, height),
    }
    return "".join(f'<path class="{kind}" d="{d}"/>' for kind, d in drawn.items() if d)


def _line(points: Sequence[Point], steps: Axis, height: Axis) -> str:
    """A path through the points, interrupted where a value is not finite."""
    text, command = [], "M"
    for point in points:
        if math.isfinite(point[1]):
            text.append(command + _at(point, steps, height))
        command = "L" if math.isfinite(point[1]) else "M"
    return "".join(text)


def _dots(points: Sequence[Point], steps: Axis, height: Axis) -> str:
    """Strokes of no length, which stay round when the SVG is stretched: at few or lonely points."""
    there = [False, *(math.isfinite(y) for _, y in points), False]
    few = len(points) <= _DOTS
    return "".join(
        f"M{_at(point, steps, height)}h0"
        for k, point in enumerate(points, start=1)
        if there[k] and (few or not (there[k - 1] or there[k + 1]))
    )


def _grid(height: Axis) -> str:
    return "".join(f"M0 {_SIZE * (1 - height.place(v)):.0f}H{_SIZE}" for v in height.ticks())


def _labels(steps: Axis, height: Axis) -> str:
    rows = (
        f'<span class="y" style="top:{100 * (1 - height.place(v)):.2f}%">{number(v)}</span>'
        for v in height.ticks()
    )
    columns = (
        f'<span class="x" style="left:{100 * steps.place(v):.2f}%">{number(v)}</span>'
        for v in steps.ticks(4)
    )
    return "".join((*rows, *columns))
