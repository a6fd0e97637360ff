"""Work spread over processes, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from moldiff.errors import MoldiffError
from moldiff.interrupts import follow_parent

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

__all__ = ["Progress", "abandon", "completed", "in_order"]

#: Called as ``progress(stage, done, total)``.
Progress = Callable[[str, int, int], None]

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # tasks that wait for a free process


def completed(
    function: Callable[[T], R], tasks: Iterable[T], jobs: int = 1
) -> Iterator[tuple[int, R]]:
    """Yield the number and the result of each task, in the order they finish.

    Tasks are drawn as processes become free, so they may be many and large.  A single task, and
    all of them with ``jobs`` = 1, are done in this process.

    Parameters
    ----------
    function:
        For several processes, it must be importable by name, and tasks and results are pickled.
        Processes are spawned, not forked: a fork of a process in which torch has started threads
        can hang.

    Raises
    ------
    MoldiffError
        If a process dies; an exception of ``function`` is raised as it is.
    """
    numbered: Iterator[tuple[int, T]] = enumerate(tasks)
    first = list(islice(numbered, 2))
    numbered = chain(first, numbered)
    if jobs <= 1 or len(first) < 2:
        for number, task in numbered:
            yield number, function(task)
        return
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=follow_parent)
    pending: dict[Future[R], int] = {}

    def submit(at_most: int) -> None:
        for number, task in islice(numbered, at_most):
            pending[pool.submit(function, task)] = number

    try:
        submit(jobs + _AHEAD)
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            results = [(pending.pop(future), future.result()) for future in done]
            submit(len(results))
            yield from results
        pool.shutdown()
    except BaseException as error:
        abandon(pool)
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise MoldiffError(
                "A worker process died, perhaps for lack of memory.",
                fix="Use fewer processes (--jobs).",
            ) from error
        raise


def in_order(results: Iterable[tuple[int, R]]) -> Iterator[R]:
    """Yield the results of `completed` in the order of their tasks; early ones wait in memory."""
    early: dict[int, R] = {}
    due = 0
    for number, result in results:
        early[number] = result
        while due in early:
            yield early.pop(due)
            due += 1


def abandon(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool without waiting for what they are doing."""
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
