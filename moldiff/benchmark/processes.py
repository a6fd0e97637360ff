"""Molecules per second of several processes that train together, against one of them alone.

Both run in turns, step by step, in the same processes: the others wait while the main one trains
alone.  All molecules have one size, so that the pieces of a step take equally long.  On a machine
that is busy otherwise the quickest turns say more than the median: in those all cores were free.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from moldiff.errors import InputError

__all__ = ["add", "run"]

_WARM = 2  # turns that are not counted
_QUICKEST = 0.1  # share of the turns


def add(commands: Any) -> None:
    """Add the subcommand to the parser of the benchmarks."""
    parser = commands.add_parser(
        "processes",
        help="training by several processes, against one: molecules per second",
        description="Molecules per second of several processes that train together, against one.",
    )
    parser.add_argument("--data", type=Path, required=True, help="a prepared data set")
    parser.add_argument("--recipe", default="qm9-skeleton", help="configuration [qm9-skeleton]")
    parser.add_argument("--size", type=int, default=22, help="atoms of the molecules [22]")
    parser.add_argument("--batch", type=int, default=64, help="molecules in a step [64]")
    parser.add_argument("--processes", type=int, default=2, help="how many [2]")
    parser.add_argument("--turns", type=int, default=20, help="steps of each [20]")


def run(options: argparse.Namespace) -> None:
    """Measure and print.

    Raises
    ------
    InputError
        If the data has no molecules of this size, or there cannot be so many processes.
    """
    from moldiff.train.processes import Processes

    with Processes(options.processes) as processes:
        folder = Path(processes.from_main(tempfile.mkdtemp))
        try:
            _measure(options, processes, folder)
        finally:
            if processes.main:
                shutil.rmtree(folder)


class _Run:
    """A training run that is taken step by step."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.steps = trainer, trainer.fit()


def _measure(options: argparse.Namespace, processes: Any, folder: Path) -> None:
    from moldiff.data.store import Store
    from moldiff.train.api import trainer, training_config

    with processes.first():
        if processes.main:
            _one_size(Store.open(options.data), options.size, folder / "data")
        store = Store.open(folder / "data")
    config = training_config(
        options.recipe,
        data=str(folder / "data"),
        output=str(folder / "run"),
        batch=options.batch,
        pieces=options.processes,
        precision="float32",
        steps=1000 * options.turns,
        evaluation={"every": 0},
    )
    together = _Run(trainer(config, store, processes=processes))
    alone = None
    if processes.main:
        alone = _Run(trainer(dataclasses.replace(config, output=str(folder / "alone")), store))
    times: list[tuple[float, float]] = []
    for _ in range(_WARM + options.turns):
        with processes.first():
            start = time.perf_counter()
            if alone is not None:
                next(alone.steps)
            one = time.perf_counter() - start
        start = time.perf_counter()
        next(together.steps)
        times.append((one, time.perf_counter() - start))
    if alone is not None:
        _print(times[_WARM:], options)
        spent = [1e3 * run.trainer.cpu_seconds / run.trainer.samples for run in (alone, together)]
        print(
            f"CPU-milliseconds per molecule: {spent[0]:.2f} and {spent[1]:.2f}; on free cores "
            f"the ratio is at most {options.processes * spent[0] / spent[1]:.2f}"
        )


def _one_size(store: Any, size: int, path: Path) -> None:
    """Write a store of training molecules of one size."""
    from moldiff.data.store import Entry, Store

    chosen = [int(i) for i in store.indices("train") if store.sizes[i] == size]
    if not chosen:
        raise InputError(
            f"{store.path} has no molecule of {size} atoms.", fix="Try another --size."
        )
    entries = [Entry(store[i], store.smiles(i), 0, i) for i in chosen]
    Store.write(path, entries, vocabulary=store.vocabulary, source=str(store.path))


def _print(times: list[tuple[float, float]], options: argparse.Namespace) -> None:
    quick = max(1, round(_QUICKEST * len(times)))
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(
        f"molecules per second, steps of {options.batch} molecules of {options.size} atoms "
        f"({options.recipe}); {os.cpu_count()} cores, load {load}",
        file=sys.stderr,
    )
    for name, count in (("all turns", len(times)), ("quickest tenth", quick)):
        one, several = (
            options.batch / statistics.median(sorted(column)[:count])
            for column in zip(*times, strict=True)
        )
        several_are = f"{options.processes} processes {several:.1f}"
        print(f"{name}: 1 process {one:.1f}, {several_are}, ratio {several / one:.2f}")
    ratios = sorted(one / several for one, several in times)
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"ratio of the two steps of a turn: median {statistics.median(ratios):.2f}, {spread}")
