"""Ctrl-C in the middle of a library that would swallow it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["held"]


@contextmanager
def held() -> Iterator[None]:
    """Keep Ctrl-C waiting inside the ``with`` block: it is raised at the end.

    RDKit puts its own handler in Python's place while it embeds or minimises: it stops early,
    returns what it has as if nothing had happened, and the program goes on.  Blocked, the
    signal reaches Python once RDKit is done.  Threads started inside the block never get it;
    threads that were there before may, and RDKit then sees it all the same.  Does nothing
    where signals cannot be blocked (Windows).
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
