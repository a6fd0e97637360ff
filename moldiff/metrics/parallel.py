"""Apply one function to every sample, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["Progress", "each"]

#: Called as ``progress(stage, done, total)``.
Progress = Callable[[str, int, int], None]

T = TypeVar("T")
R = TypeVar("R")

_CHUNK = 16


def each(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    jobs: int = 1,
    stage: str = "",
    progress: Progress | None = None,
) -> list[R]:
    """Return ``[function(item) for item in items]``.

    With ``jobs`` > 1 the work is spread over so many processes; ``function`` must then be
    importable by name.  Processes are spawned, not forked: a fork of a process in which
    torch has started threads can hang.
    """
    report = progress or (lambda stage, done, total: None)
    total, results = len(items), []
    report(stage, 0, total)
    if jobs <= 1 or total <= _CHUNK:
        for item in items:
            results.append(function(item))
            report(stage, len(results), total)
        return results
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for result in pool.map(function, items, chunksize=_CHUNK):
                results.append(result)
                report(stage, len(results), total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
