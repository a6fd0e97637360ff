"""Ctrl-C: a stop in good order, library calls that would swallow it, worker processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["follow_parent", "held", "on_signal"]


@contextmanager
def held() -> Iterator[None]:
    """Delay Ctrl-C until the end of the ``with`` block.

    RDKit replaces Python's signal handler while it embeds or minimises: on Ctrl-C it stops
    early and returns what it has, and the program continues.  A blocked signal reaches Python
    once RDKit is done.  Threads started inside the block never receive it; older threads may,
    and RDKit then still sees it.  Does nothing where signals cannot be blocked (Windows).
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
    """In a worker process, leave Ctrl-C to the parent, and exit when the parent exits.

    Without the parent the results would be lost anyway.
    """
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setpgrp"):  # RDKit undoes the line above, so leave the terminal's process group
        os.setpgrp()
    parent = parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


_HANG_UP = ("SIGHUP",) if hasattr(signal, "SIGHUP") else ()  # not on Windows


@contextmanager
def on_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on Ctrl-C, SIGTERM (of a batch system) and SIGHUP (of a terminal that closes).

    The process would otherwise die in a step.  What is ignored, as SIGHUP by ``nohup``, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    numbers = [signal.SIGINT, signal.SIGTERM, *(getattr(signal, n) for n in _HANG_UP)]
    previous = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}

    def handle(*_: object) -> None:
        stop()

    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
