"""Work in several processes: drawn as it is done, and no process is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from moldiff.errors import MoldiffError
from moldiff.parallel import completed


def square(x: int) -> int:
    return x * x


def where(x: int) -> int:
    return os.getpid()


def fail(x: int) -> int:
    raise ValueError(f"no {x}")


def die(x: int) -> int:
    os._exit(1)


def long(x: int) -> int:
    time.sleep(600 if x else 0)
    return os.getpid()


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_are_done(jobs: int) -> None:
    assert dict(completed(square, range(20), jobs)) == {k: k * k for k in range(20)}
    assert list(completed(square, [], jobs)) == []


@pytest.mark.parametrize(("jobs", "ahead"), [(1, 2), (2, 5)])
def test_tasks_are_drawn_as_they_are_needed(jobs: int, ahead: int) -> None:
    drawn: list[int] = []

    def tasks() -> Iterator[int]:
        for k in range(100):
            drawn.append(k)
            yield k

    for done, _ in enumerate(completed(square, tasks(), jobs), 1):
        # what has been handed on, what waits, and all that finished in the same moment
        assert len(drawn) <= done + 2 * ahead
    assert len(drawn) == 100


def test_one_task_needs_no_other_process() -> None:
    assert dict(completed(where, [0], 2)) == {0: os.getpid()}
    assert os.getpid() not in dict(completed(where, [0, 1], 2)).values()


def test_failures_are_raised() -> None:
    for jobs in (1, 2):
        with pytest.raises(ValueError, match="no 0"):
            dict(completed(fail, [0, 1] if jobs == 1 else [0, 0], jobs))
    with pytest.raises(MoldiffError, match="worker process died"):
        dict(completed(die, [0, 1], 2))


def test_who_stops_early_does_not_wait() -> None:
    start = time.monotonic()
    results = completed(long, [0, 1, 1], 2)
    _, worker = next(results)
    results.close()  # type: ignore[attr-defined]
    while time.monotonic() - start < 60:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker is still there")
