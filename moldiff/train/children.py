"""The other processes of a run on this machine: copies of this program that end with it.

A child runs the command line of its parent again, with its local rank in its environment, as
Fabric's own launcher has it.  That one looks after its children every five seconds, and kills the
whole program without a word when one has ended.  Here a thread waits for each child: the main
process knows at once which one ended and why, ends the others, and leaves in an orderly way.

A child has no terminal: the parent keeps the last lines of its output, to quote them if it fails.
Its standard input is a pipe that closes when the parent ends, however it ends, and the child with
it.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from moldiff.errors import InputError, MoldiffError

__all__ = ["Children", "follow", "spawned"]

_STDERR = "MOLDIFF_STDERR_OF_PARENT"  # environment of a child: a descriptor, empty without one
_READY = b"moldiff: this process is ready\n"
_FAREWELL = b"."  # from a parent that ends in an orderly way
_LINES = 50  # of a child's output that are kept
_GRACE = 10.0  # seconds for the main thread to leave what it does


class Children:
    """The other processes of this machine.

    Parameters
    ----------
    ranks:
        The rank of each child by its local rank.
    environment:
        Variables that all of them get.
    advice:
        What the user can do when one of them has failed.

    Raises
    ------
    InputError
        If this program has no command line that could be run again.
    """

    def __init__(
        self, ranks: Mapping[int, int], environment: Mapping[str, str], advice: str
    ) -> None:
        if hasattr(sys, "ps1") or "ipykernel" in sys.modules or sys.orig_argv[1:2] in ([], ["-"]):
            raise InputError(
                "Several processes need a program that can be started again, not a session.",
                fix="Write it as a script, or use the command line: moldiff train --processes 2.",
            )
        self.advice = advice
        self.failure: MoldiffError | None = None
        self._lock = threading.RLock()  # a signal handler may dismiss them
        self._heard, self._left = threading.Event(), threading.Event()
        self._dismissed = False
        self._ready = {rank: threading.Event() for rank in ranks.values()}
        self._processes = {
            rank: _start({**os.environ, **environment, "LOCAL_RANK": str(local)})
            for local, rank in ranks.items()
        }
        atexit.register(self.dismiss)
        for rank, process in self._processes.items():
            threading.Thread(target=self._watch, args=(rank, process), daemon=True).start()

    def wait(self) -> None:
        """Wait until all children are ready to join the run.

        Raises
        ------
        MoldiffError
            If one of them ends.
        """
        while not all(event.wait(0.1) for event in self._ready.values()):
            if self.failure is not None:
                raise self.failure

    def explain(self, seconds: float = 0.0) -> MoldiffError | None:
        """Return why a child failed, or None if none did within ``seconds``."""
        self._heard.wait(seconds)
        return self.failure

    def dismiss(self) -> None:
        """End the children: the run is over."""
        with self._lock:
            self._dismissed = True
        self._left.set()
        for process in self._processes.values():
            try:
                assert process.stdin is not None
                os.write(process.stdin.fileno(), _FAREWELL)
                process.stdin.close()
            except (OSError, ValueError):  # it has ended already
                pass
        end = time.monotonic() + 2
        for process in self._processes.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _watch(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        """Wait for a child; if it ends before the run, end the others and interrupt this one."""
        lines: deque[bytes] = deque(maxlen=_LINES)
        reader = threading.Thread(target=self._read, args=(rank, process, lines), daemon=True)
        reader.start()
        status = process.wait()
        reader.join(1.0)  # a child of its own may hold the pipe open
        with self._lock:
            if self._dismissed or self.failure is not None:
                return
            output = b"".join(lines).decode(errors="replace").strip()
            self.failure = MoldiffError(_ending(rank, status, output), fix=self.advice)
            self.failure.__cause__ = RuntimeError(output)  # --debug shows it
        # Those left would wait for the one that ended, and this process for them.
        for other in self._processes.values():
            other.kill()
        _thread.interrupt_main()  # before the main thread may know, so that it comes not too late
        self._heard.set()
        if not self._left.wait(_GRACE):
            print(f"Error: {self.failure}", file=sys.stderr, flush=True)
            os._exit(1)

    def _read(self, rank: int, process: subprocess.Popen[bytes], lines: deque[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line == _READY:
                self._ready[rank].set()
            else:
                lines.append(line)


def _start(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Run this program's command line again."""
    options: dict[str, Any] = {}
    stderr = ""
    # A process group of its own: Ctrl-C reaches the main process alone, which tells the others.
    if os.name == "posix":
        descriptor = os.dup(2)
        stderr = str(descriptor)
        options = {"process_group": 0, "pass_fds": (descriptor,)}
    else:
        options = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    try:
        return subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env={**environment, _STDERR: stderr},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )
    finally:
        if stderr:
            os.close(int(stderr))


def _ending(rank: int, status: int, output: str) -> str:
    """How a child ended, in a sentence."""
    if status < 0:
        name = {s.value: s.name for s in signal.Signals}.get(-status, str(-status))
        memory = ", as by a system that runs out of memory" if name == "SIGKILL" else ""
        return f"The process of rank {rank} was ended by a signal ({name}{memory})."
    lines = output.splitlines() or [f"it gave no reason (exit status {status})."]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return f"The process of rank {rank} ended: {(errors or lines)[-1]}"


def spawned() -> bool:
    """Return whether this process is a child, and has not called `follow` yet."""
    return _STDERR in os.environ


def follow(advice: str, *, speaks: bool) -> None:
    """In a child: tell the parent that this process is ready, and end when the parent does.

    Of the children of a parent that was killed, the one that ``speaks`` says so in its place.
    """
    stderr = os.environ.pop(_STDERR)
    os.write(1, _READY)

    def wait() -> None:
        farewell = os.read(0, len(_FAREWELL))
        if not farewell and speaks and stderr:
            line = f"Error: The main process of the run was killed. {advice}\n"
            os.write(int(stderr), line.encode())
        os._exit(0 if farewell else 1)

    threading.Thread(target=wait, daemon=True).start()
