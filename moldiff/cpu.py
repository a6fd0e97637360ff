"""Processor settings that determine the speed of small-molecule networks.

Every large tensor that glibc maps and unmaps costs a page fault per 4 KiB.  Keeping freed
memory avoids those faults; ``scripts/benchmark speed`` measures the gain on a machine.

One thread per operation is the default everywhere: molecules are small, and if another process
keeps a core busy, two threads wait for each other at every barrier.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from moldiff.errors import InputError

__all__ = ["keep_freed_memory", "set_threads", "using_threads", "with_threads"]

T = TypeVar("T")

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_LARGEST_BLOCK = 32 << 20  # glibc refuses a higher threshold (HEAP_MAX_SIZE / 2)
_KEEP = (1 << 31) - 1
_PAD = 64 << 20

_KEPT = {_M_MMAP_THRESHOLD: _LARGEST_BLOCK, _M_TRIM_THRESHOLD: _KEEP, _M_TOP_PAD: _PAD}
# What glibc's own adjustment arrives at in a process that has freed large blocks, and its padding:
# it does not tell what the settings were.
_USUAL = {
    _M_MMAP_THRESHOLD: _LARGEST_BLOCK,
    _M_TRIM_THRESHOLD: 2 * _LARGEST_BLOCK,
    _M_TOP_PAD: 128 << 10,
}

_keeping = 0  # calls that want freed memory kept


def keep_freed_memory() -> bool:
    """Ask glibc to reuse large blocks from now on instead of returning them; False elsewhere."""
    global _keeping
    _keeping += 1
    return _allocator(_KEPT)


def set_threads(threads: int) -> None:
    """Set the number of threads of one operation for the rest of the process; keep freed memory.

    Raises
    ------
    InputError
        If the number is below 1.
    """
    import torch

    if threads < 1:
        raise InputError(
            f"There cannot be {threads} threads.", fix="Use 1, or as many as there are cores."
        )
    torch.set_num_threads(threads)
    keep_freed_memory()


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Do as `set_threads` for the duration of a ``with`` block.

    Raises
    ------
    InputError
        If the number is below 1.
    """
    import torch

    global _keeping
    before = torch.get_num_threads()
    set_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _keeping -= 1
        if not _keeping:
            _allocator(_USUAL)


def with_threads(threads: int, items: Generator[T, None, None]) -> Iterator[T]:
    """Yield from a generator that computes within `using_threads`.

    Whoever consumes the items keeps the settings it has, even if it stops half-way.
    """
    with closing(items):
        while True:
            with using_threads(threads):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


def _allocator(settings: dict[int, int]) -> bool:
    """Whether glibc accepts settings of its allocator."""
    mallopt = _mallopt()
    return mallopt is not None and all(mallopt(option, value) for option, value in settings.items())


@functools.cache
def _mallopt() -> Callable[[int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc (musl has no mallopt)
        return None
    return function
