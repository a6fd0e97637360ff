"""Apply one function to every sample, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from moldiff.parallel import Progress, completed

__all__ = ["Progress", "each"]

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
    importable by name.
    """
    report = progress or (lambda stage, done, total: None)
    total, done = len(items), 0
    report(stage, 0, total)
    size = _CHUNK if jobs > 1 else 1
    chunks = [items[k : k + size] for k in range(0, total, size)]
    results: list[list[R]] = [[] for _ in chunks]
    for number, result in completed(partial(_apply, function), chunks, jobs):
        results[number] = result
        done += len(result)
        report(stage, done, total)
    return [result for chunk in results for result in chunk]


def _apply(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [function(item) for item in items]
