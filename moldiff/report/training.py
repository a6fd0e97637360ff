"""The page of a training run: its state, and curves of what it has logged and judged."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from string import Template
from typing import Literal

from moldiff.report.chart import Curve, line_chart
from moldiff.report.page import asset, colours, policy
from moldiff.version import __version__

__all__ = ["STATISTICS", "Row", "Run", "State", "render_training"]

Row = Mapping[str, str]
"""A row of a table: text by column."""

State = Literal["running", "stopped", "finished", "failed"]

#: Columns of ``log.csv`` with a chart of their own; the other numbers are parts of the loss.
#: The title, and options of `line_chart`.
STATISTICS: dict[str, tuple[str, dict[str, bool]]] = {
    "rate": ("Learning rate", {}),
    "norm": ("Gradient norm before clipping", {"log": True, "noisy": True}),
    "speed": ("Speed in {samples} per second", {"noisy": True}),
    "skipped": ("Steps without an update so far", {}),
}
_NO_CURVE = ("step", "hours", "precision")
_REFRESH = '<noscript><meta http-equiv="refresh" content="10"></noscript>\n'


@dataclass(frozen=True)
class Run:
    """What the page says of a run.

    Attributes
    ----------
    name, samples:
        Heading; plural noun of what is counted per second.
    state, message:
        What it is doing, and a sentence about it ("": none).
    step, steps:
        Steps done, and planned.
    left:
        Time left, in words; "" if unknown.
    logged, judged:
        Rows of ``log.csv`` and ``evaluation.csv``.
    facts:
        Further facts, by name.
    settings:
        The configuration as text.
    expected:
        Seconds until the page is written again, if all goes well.
    """

    name: str
    samples: str
    state: State
    step: int
    steps: int
    left: str = ""
    message: str = ""
    logged: Sequence[Row] = ()
    judged: Sequence[Row] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    expected: float = 60.0


def render_training(run: Run) -> str:
    """Return the page of a run: self-contained HTML that asks the network for nothing.

    While the run goes on the page reads its own file again every ten seconds.
    """
    code = f'(() => {{\n"use strict";\n{asset("training.js")}}})();'
    facts = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in run.facts.items()
    )
    now = time.time()
    return Template(asset("training.html")).substitute(
        policy=policy(code),
        refresh=_REFRESH if run.state == "running" else "",
        title=html.escape(run.name),
        state=run.state,
        style=colours() + asset("training.css"),
        written=f"{now:.0f}",
        clock=time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now)),
        expected=f"{run.expected:.0f}",
        step=f"{run.step:,}",
        steps=f"{run.steps:,}",
        percent=f"{min(100.0, 100 * run.step / run.steps):.1f}",
        left=html.escape(run.left),
        hidden="" if run.message else " hidden",
        message=html.escape(run.message),
        charts="\n".join(filter(None, _charts(run)))
        or f'<p class="empty">{_nothing(run.state)}</p>',
        facts=facts,
        settings=html.escape(run.settings),
        version=__version__,
        code=code,
    )


def _nothing(state: State) -> str:
    return "The curves begin with the first row of the log." if state == "running" else "No curves."


def _charts(run: Run) -> Iterator[str]:
    """The charts of all that has a value, all to the same step."""
    chart = partial(line_chart, end=max(1.0, run.step))
    logged, judged = _curves(run.logged), _curves(run.judged)
    losses = [curve for name, curve in logged.items() if name not in STATISTICS]
    title = "Loss by part" if len(losses) > 1 else "Loss"
    yield chart(title, losses, log=True, noisy=True, wide=True)
    counts = {row.get("samples", "") for row in run.judged}
    judged.pop("samples", None)
    shares = {name: curve for name, curve in judged.items() if _is_share(curve)}
    on = f" of {counts.pop()} samples" if len(counts) == 1 and "" not in counts else ""
    yield chart(f"Evaluation{on}", list(shares.values()))
    for name in [name for name in judged if name not in shares]:
        yield chart(f"Evaluation: {judged[name].name}", [judged[name]])
    for name, (heading, options) in STATISTICS.items():
        if name in logged and (name != "skipped" or any(y for _, y in logged[name].points)):
            yield chart(heading.format(samples=run.samples), [logged[name]], **options)


def _is_share(curve: Curve) -> bool:
    return all(0 <= y <= 1 for _, y in curve.points if math.isfinite(y))


def _curves(rows: Sequence[Row]) -> dict[str, Curve]:
    """The columns of a table that have numbers, by name."""
    columns = dict.fromkeys(name for row in rows for name in row if name not in _NO_CURVE)
    steps = [float(row["step"]) for row in rows]
    curves = {}
    for name in columns:
        points = [(x, _value(row.get(name))) for x, row in zip(steps, rows, strict=True)]
        known = [(x, y) for x, y in points if y is not None]
        if known:
            curves[name] = Curve(_words(name), known)
    return curves


def _value(text: str | None) -> float | None:
    """A number of a table, NaN included; None where there is none."""
    try:
        return float(text or "")
    except ValueError:
        return None


def _words(name: str) -> str:
    return name.replace("_", " ")
