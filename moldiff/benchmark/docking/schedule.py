"""Dockings in processes of their own, several at a time: a crash costs a row, not the run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import connection as channels
from multiprocessing import get_all_start_methods, get_context
from typing import TYPE_CHECKING, Any

from moldiff.benchmark.docking.rows import FAILED, Row
from moldiff.benchmark.docking.worker import Task, begin

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["execute"]

_PATIENCE = 20  # wall-clock over CPU time on a busy machine, before a process counts as hung
# What every docking needs, loaded once; what is not installed is passed over.
_LOADED = (
    *("moldiff.benchmark.docking.worker", "moldiff.benchmark.docking.peer", "torch"),
    *(
        "moldiff.docking.pipeline",
        "moldiff.model",
        "moldiff.docking.energy.pdbqt",
        "posebusters",
        "vina",
        "rustina",
    ),
)
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Flight:
    """A docking under way, and the last that was heard of it."""

    task: Task
    process: Any
    connection: Connection
    deadline: float
    row: Row | None = None


def execute(tasks: Iterable[Task], jobs: int = 1) -> Iterator[Row]:
    """Yield the row of each task in the order they finish; closing ends what is under way."""
    context = _context()
    waiting, flying = iter(tasks), list[_Flight]()
    try:
        while True:
            while len(flying) < jobs and (task := next(waiting, None)) is not None:
                flying.append(_launch(context, task))
            if not flying:
                return
            ready = channels.wait([flight.connection for flight in flying], timeout=1.0)
            for flight in list(flying):
                row = _final_row(flight, flight.connection in ready)
                if row is not None:
                    flying.remove(flight)
                    _end(flight)
                    yield row
    finally:
        for flight in flying:
            flight.process.kill()
        for flight in flying:
            _end(flight)


def _context() -> Any:
    """Fork from a server that has loaded the modules once; elsewhere start afresh."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(list(_LOADED))
    return context


def _launch(context: Any, task: Task) -> _Flight:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=begin, args=(task, theirs), daemon=True)
    process.start()
    theirs.close()  # ours alone: when the process ends, the channel does
    return _Flight(task, process, ours, time.monotonic() + _PATIENCE * 2 * task.limit)


def _final_row(flight: _Flight, ready: bool) -> Row | None:
    """The final row, if the docking has ended in one way or another."""
    if ready:
        try:
            flight.row, final = flight.connection.recv()
            return flight.row if final else None
        except (EOFError, OSError):
            flight.process.join()
            return _broken(flight, _why(flight.process.exitcode, flight.task.limit))
    if time.monotonic() > flight.deadline:
        flight.process.kill()
        return _broken(flight, "it hung")
    return None


def _broken(flight: _Flight, why: str) -> Row:
    """The row of a docking that never ended: what was sent before is kept."""
    if flight.row is not None:
        return replace(flight.row, reason=f"not judged: {why}")
    return replace(flight.task.row, status=FAILED, reason=why)


def _why(code: int | None, limit: int) -> str:
    if code == -getattr(signal, "SIGXCPU", 0):
        return f"more than {limit} CPU-seconds"
    if code is not None and code < 0:
        return f"the process died of signal {-code} (9: perhaps out of memory)"
    return f"the process ended with status {code}"


def _end(flight: _Flight) -> None:
    flight.process.join(5)
    if flight.process.is_alive():
        flight.process.kill()
        flight.process.join()
    flight.connection.close()
