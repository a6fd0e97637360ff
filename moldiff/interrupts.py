"""Ctrl-C in the middle of a library that would swallow it, and in processes of a team."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["follow_parent", "held"]


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


def follow_parent() -> None:
    """In a process that works for another: leave Ctrl-C to the parent, and end when it ends.

    Without the parent nobody keeps the results.
    """
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setpgrp"):  # RDKit undoes the line above: stay out of the terminal's reach
        os.setpgrp()
    parent = parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
