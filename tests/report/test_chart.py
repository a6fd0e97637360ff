"""Line charts: what is thinned away is never an extreme, and labels are round numbers."""

from __future__ import annotations

import html
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moldiff.report.chart import Axis, Curve, line_chart, number, thinned, trend

NAN = float("nan")
VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(NAN), min_size=1, max_size=300)


@given(VALUES, st.integers(8, 40))
def test_thinning_keeps_ends_extremes_and_gaps(values: list[float], most: int) -> None:
    points = [(float(k), v) for k, v in enumerate(values)]
    kept = thinned(points, most)
    assert len(kept) <= max(most + 5, 0) or len(values) <= most
    assert kept[0] is points[0] and kept[-1] is points[-1]
    assert [p for p in points if any(p is k for k in kept)] == kept  # in order, none twice
    finite, left = ([y for _, y in some if math.isfinite(y)] for some in (points, kept))
    assert bool(finite) == bool(left)
    if finite:
        assert (min(finite), max(finite)) == (min(left), max(left))
    assert any(math.isnan(y) for y in values) == any(math.isnan(y) for _, y in kept)


def test_thousands_of_points_become_hundreds() -> None:
    points = [(float(k), math.sin(k)) for k in range(20_000)]
    points[7777] = (7777.0, 99.0)
    assert 300 <= len(thinned(points)) <= 402 and (7777.0, 99.0) in thinned(points)


def test_the_trend_is_of_long_curves_and_ignores_outliers() -> None:
    points = [(float(k), 1e9 if k == 50 else NAN if k == 60 else 2.0) for k in range(500)]
    assert 30 <= len(trend(points)) <= 60 and {y for _, y in trend(points)} == {2.0}
    assert trend(points[:100]) == []


@pytest.mark.parametrize(
    ("values", "log", "ticks"),
    [
        ([0.0, 1.0], False, [0, 0.5, 1.0]),
        ([3.0, 3.0], False, [2.8, 3.0, 3.2]),
        ([0.001, 10.0], True, [0.001, 0.01, 0.1, 1, 10]),
        ([0.02, 0.3], True, [0.02, 0.05, 0.1, 0.2]),
        ([0.0, 300.0], True, [0, 100, 200, 300]),  # nothing logarithmic with a zero
        ([-2.0, 2.0], True, [-2, -1, 0, 1, 2]),
        ([1.0, 2.0], True, [1.0, 1.5, 2.0]),  # less than a decade
        ([1e-9, 1e9], True, [1e-9, 1e-5, 1e-1, 1e3, 1e7]),
    ],
)
def test_ticks(values: list[float], log: bool, ticks: list[float]) -> None:
    axis = Axis.around(values, log=log)
    assert axis.ticks() == pytest.approx(ticks)
    assert all(-1e-9 <= axis.place(v) <= 1 + 1e-9 for v in (*values, *axis.ticks()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.01234, "0.0123"), (1234, "1,234"), (20_000, "20k"), (1.5e6, "1.5M"),
        (-3e-6, "-3e-06"), (999, "999"), (1e12, "1e+12"), (NAN, "–"), (float("inf"), "–"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def paths(chart: str, kind: str) -> list[str]:
    return re.findall(rf'<path class="{kind}" d="([^"]*)"', chart)


def test_values_that_are_not_finite_interrupt_the_line() -> None:
    points = [(0.0, 0.0), (10.0, 1.0), (20.0, NAN), (30.0, 1.0), (40.0, 0.0)]
    (line,) = paths(line_chart("Loss", [Curve("all", points)]), "c0")
    assert re.sub("[^ML]", "", line) == "MLML"
    many = [(float(k), NAN if k % 2 else 1.0) for k in range(100)]
    (dots,) = paths(line_chart("Loss", [Curve("all", many)]), "c0 dots")  # else invisible
    assert dots.count("M") == 50


def test_nothing_to_draw_is_no_chart() -> None:
    assert line_chart("Loss", []) == line_chart("Loss", [Curve("a", [(1.0, NAN)])]) == ""


def test_a_single_row_is_a_dot() -> None:
    chart = line_chart("Loss", [Curve("a", [(100.0, 2.0)]), Curve("b", [(100.0, 3.0)])])
    assert paths(chart, "c0 dots")[0].count("h0") == paths(chart, "c1 dots")[0].count("h0") == 1


def test_names_stay_text_and_values_are_known_to_the_page() -> None:
    chart = line_chart("<b>", [Curve('"a" & <i>', [(1.0, 0.12345678), (2.0, NAN)])])
    assert "<b> " not in chart and "&lt;b&gt;" in chart and "<i>" not in chart
    (data,) = re.findall(r'data-curves="([^"]*)"', chart)
    assert json.loads(html.unescape(data)) == {'"a" & <i>': [[1, 0.1235], [2, None]]}
