"""How measured speed is shown: one JSON document, and tables on the terminal.

The document is ``{"format", "date", "seconds", "versions", "machine", "sections", ...}``; each
section is a list of flat rows whose keys carry their units.  Numbers that do not apply are null.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moldiff.report.document import now, plain
from moldiff.report.environment import machine, versions

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["document", "load_average", "show"]

_WIDTH = 132  # of tables that go to a file or a pipe


def document(
    form: str, values: Mapping[str, Any], *, threads: int, seconds: float, load: float | None
) -> dict[str, Any]:
    """Return what was measured, and on what, as plain JSON values.

    Parameters
    ----------
    form:
        Name of the format.
    values:
        ``sections``, and what else belongs to it.
    threads, seconds:
        Threads of one operation, and how long it took.
    load:
        The machine's load average before the run.
    """
    whole = {
        "format": form,
        "date": now(),
        "seconds": seconds,
        "versions": versions(),
        "machine": machine(threads) | {"load_before": load},
        **values,
    }
    rounded: dict[str, Any] = plain(whole)
    return rounded


def load_average() -> float | None:
    """Return the machine's load average; None where there is none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


Cell = Callable[[Any], str]


def _number(unit: str = "", factor: float = 1.0, digits: int = 3) -> Cell:
    def cell(value: Any) -> str:
        if value is None:
            return "-"
        value = value * factor
        whole = 10 ** (digits - 1) <= abs(value) < 1e7
        text = f"{value:,.0f}" if whole else f"{value:.{digits}g}"
        return f"{text}{unit}"

    return cell


_PLAIN, _PERCENT, _TIMES = _number(), _number(" %", 100.0, 2), _number(" x")
_MILLIONS = _number(" M", 1e-6)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "-" if value is None else str(value)


@dataclass(frozen=True)
class _Layout:
    """How a section becomes a table: title, columns (key -> heading, cell), a remark."""

    title: str
    columns: Mapping[str, tuple[str, Cell]]
    remark: str = ""


_NETWORK = {"network": ("network", _text)}
_BATCH = {"batch": ("batch", _text)}
_BY_SITES = {
    "sites": ("sites", _text),
    **_NETWORK,
    "precision": ("precision", _text),
    **_BATCH,
    "cpu_ms_per_molecule": ("ms", _PLAIN),
    "molecules_per_cpu_s": ("molecules / s", _PLAIN),
    "spread": ("spread", _PERCENT),
    "ratio": ("moldiff faster by", _TIMES),
    "ratio_low": ("from", _TIMES),
    "ratio_high": ("to", _TIMES),
    "gflop_per_molecule": ("GFLOP", _PLAIN),
    "peak_share": ("of peak", _PERCENT),
}
_LAYOUTS: Mapping[str, _Layout] = {
    "sampling": _Layout(
        "Sampling (all times are CPU time)",
        {
            **_NETWORK,
            "parameters": ("weights", _MILLIONS),
            "steps": ("steps", _text),
            **_BATCH,
            "cpu_ms_per_step": ("ms / step", _PLAIN),
            "cpu_s_per_molecule": ("s / molecule", _PLAIN),
            "molecules_per_cpu_s": ("molecules / s", _PLAIN),
            "spread": ("spread", _PERCENT),
            "ratio": ("moldiff faster by", _TIMES),
            "ratio_low": ("from", _TIMES),
            "ratio_high": ("to", _TIMES),
            "peak_share": ("of peak", _PERCENT),
        },
        "Each network at its best batch and its published steps. Lean: the same function with "
        "less work than its paper writes.",
    ),
    "loops": _Layout(
        "Real loops against step times steps",
        {
            "loop": ("loop", _text),
            **_BATCH,
            "cpu_s_per_molecule": ("s / molecule", _PLAIN),
            "expected_cpu_s_per_molecule": ("expected", _PLAIN),
            "ratio": ("real / expected", _PLAIN),
            "peak_mib": ("peak MiB", _PLAIN),
        },
    ),
    "training": _Layout(
        "Training, CPU time per molecule",
        _BY_SITES,
        "dfa4b98: this network with that commit's settings. GFLOP: the network's matrix products; "
        "the peak: that of float32.",
    ),
    "generating": _Layout(
        "Sampling, CPU time per molecule",
        _BY_SITES,
        "Each network at its own or its published steps, without decoding.",
    ),
    "peak": _Layout(
        "Matrix-product peak of the machine",
        {
            "precision": ("precision", _text),
            "gflop_per_cpu_s": ("GFLOP / s", _PLAIN),
            "matrix": ("matrix", _text),
        },
    ),
    "precision": _Layout(
        "bfloat16 against float32, one evaluation",
        {
            **_NETWORK,
            **_BATCH,
            "float32_cpu_ms_per_molecule": ("float32 ms / molecule", _PLAIN),
            "bfloat16_cpu_ms_per_molecule": ("bfloat16 ms / molecule", _PLAIN),
            "ratio": ("faster by", _TIMES),
        },
    ),
    "allocator": _Layout(
        "Keeping freed memory (moldiff.cpu.keep_freed_memory), float32",
        {
            "work": ("step of", _text),
            **_BATCH,
            "kept_cpu_ms_per_molecule": ("kept, ms / molecule", _PLAIN),
            "returned_cpu_ms_per_molecule": ("returned, ms / molecule", _PLAIN),
            "ratio": ("faster by", _TIMES),
            "kept_page_faults": ("faults, kept", _PLAIN),
            "returned_page_faults": ("faults, returned", _PLAIN),
        },
    ),
    "batches": _Layout(
        "One evaluation against batch",
        {
            **_NETWORK,
            **_BATCH,
            "cpu_ms_per_molecule": ("ms / molecule", _PLAIN),
            "spread": ("spread", _PERCENT),
            "peak_mib": ("peak MiB", _PLAIN),
            "best": ("best", _text),
        },
    ),
    "atoms": _Layout(
        "One evaluation against atoms",
        {
            **_NETWORK,
            "atoms": ("atoms", _text),
            "cpu_ms_per_molecule": ("ms / molecule", _PLAIN),
            "growth": ("grows as n to the", _number(digits=2)),
            "ratio": ("against moldiff", _TIMES),
            "peak_mib": ("peak MiB", _PLAIN),
        },
        "Per evaluation, not per molecule made: multiply by the steps.",
    ),
}


def show(result: Mapping[str, Any]) -> None:
    """Print the tables of a document on stdout."""
    import sys

    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    machine, model = result["machine"], result.get("model")
    subject = f", model {model['name']} {model['hash']}" if model else ""
    console.print(
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores, "
        f"{machine['instructions']}; torch {result['versions']['torch']}, "
        f"moldiff {result['versions']['moldiff']}{subject}; "
        f"{result['date']}, {result['seconds']:.0f} s",
        markup=False,
        soft_wrap=True,
    )
    load = machine["load_before"]
    if load is not None and load > 0.5:
        console.print(
            f"The machine was busy before the run (load {load:.1f}): trust the ratios only."
        )
    for name, layout in _LAYOUTS.items():
        if name in result["sections"]:
            console.print(_table(layout, result["sections"][name]))
            if layout.remark:
                console.print(f"  {layout.remark}")


def _table(layout: _Layout, rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=layout.title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading, cell in layout.columns.values():
        text = cell is _text
        table.add_column(heading, justify="left" if text else "right", no_wrap=text)
    first = next(iter(layout.columns))
    before = None
    for row in rows:
        # A line between the groups of a sweep.
        again = layout.title.startswith("One") and row[first] == rows[0][first]
        if before is not None and (again or row.get("sites") != before.get("sites")):
            table.add_section()
        table.add_row(*(cell(row.get(key)) for key, (_, cell) in layout.columns.items()))
        before = row
    return table
