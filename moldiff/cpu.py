"""Processor settings that determine the speed of small-molecule networks.

Every large tensor that glibc maps and unmaps costs a page fault per 4 KiB.  Keeping freed
memory avoids those faults; ``scripts/benchmark speed`` measures the gain on a machine.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory", "set_threads"]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_LARGEST_BLOCK = 32 << 20  # glibc refuses a higher threshold (HEAP_MAX_SIZE / 2)
_KEEP = (1 << 31) - 1
_PAD = 64 << 20


def keep_freed_memory() -> bool:
    """Ask glibc to reuse large blocks instead of returning them; False elsewhere."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc (musl has no mallopt)
        return False
    settings = {_M_MMAP_THRESHOLD: _LARGEST_BLOCK, _M_TRIM_THRESHOLD: _KEEP, _M_TOP_PAD: _PAD}
    return sum(mallopt(option, value) for option, value in settings.items()) == len(settings)


def set_threads(threads: int) -> None:
    """Set the number of threads that torch uses in one operation.

    One is the right default: molecules are small, and if another process keeps a core busy,
    two threads wait for each other at every barrier.
    """
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()
