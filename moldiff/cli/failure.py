"""Failures of commands: one line on stderr and an exit status."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from moldiff.cli.usage import usage_line
from moldiff.errors import ConfigError, InputError, ModelFileError, MoldiffError, PartError

__all__ = ["FAILED", "INTERRUPTED", "UNUSABLE", "Interrupted", "guarded", "terminable"]

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130

# Remedies for errors of the operating system.
_REMEDIES = {
    errno.ENOSPC: "Free some space on the disk, or write elsewhere.",
    errno.EDQUOT: "Free some of your quota, or write elsewhere.",
    errno.EFBIG: "Write to a file system that takes larger files.",
    errno.EACCES: "Check the permissions.",
    errno.EPERM: "Check the permissions.",
    errno.EROFS: "Write to another file system.",
    errno.ENOENT: "Check the path.",
    errno.ENAMETOOLONG: "Give a shorter name.",
}


class Interrupted(Exception):
    """Ctrl-C, with a command's message: what is saved and how to continue."""


def guarded(action: Callable[[], object], *, debug: bool = False, command: str = "moldiff") -> int:
    """Run ``action`` and return an exit status; errors become one line on stderr.

    Parameters
    ----------
    action:
        Returns an exit status; None and 0 are success.
    debug:
        Print the traceback of an error as well.
    command:
        Whose help is named where the command line is wrong.
    """
    try:
        result = action()
        sys.stdout.flush()
        if result == INTERRUPTED:  # how newer versions of typer end on Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        return _broken_pipe()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else FAILED
    except (KeyboardInterrupt, typer.Abort, Interrupted) as stop:
        print(str(stop) or "Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        status, line = _verdict(error, command)
        _complain(line)
        return status


@contextmanager
def terminable() -> Iterator[None]:
    """Treat SIGTERM (``timeout``, a batch system) inside the block like Ctrl-C.

    Only the main thread may set signal handlers; elsewhere this has no effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner, previous = os.getpid(), signal.getsignal(signal.SIGTERM)

    def handle(number: int, _: Any) -> None:
        if os.getpid() == owner:
            raise KeyboardInterrupt
        # A forked worker, which a pool terminates with this signal: end silently.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if previous is None else previous)


def _verdict(error: Exception, command: str) -> tuple[int, str]:
    """Return the exit status, and a line with what is wrong, where, and how to fix it."""
    from moldiff.verbs import part_error

    error = part_error(error) or error
    if isinstance(error, PartError):
        return FAILED, f"{error.line} Its traceback: --debug."
    if isinstance(error, MoldiffError):
        wrong_request = isinstance(error, InputError | ConfigError | ModelFileError)
        return (UNUSABLE if wrong_request else FAILED), error.line
    if hasattr(error, "format_message"):  # typer's usage errors; their class moved between versions
        return UNUSABLE, usage_line(error, command)
    if isinstance(error, OSError):
        return FAILED, _system_line(error.errno, error.strerror or str(error), error.filename)
    code = re.search(r"Os \{ code: (\d+)", str(error))
    if type(error).__name__ == "SafetensorError" and code:  # how safetensors reports a full disk
        return FAILED, _system_line(int(code[1]), os.strerror(int(code[1])), "a model file")
    return FAILED, (
        f"Unexpected {type(error).__name__}: {str(error).rstrip('. ') or 'no message'}. "
        "Run the command again with --debug and report what it prints."
    )


def _system_line(code: int | None, reason: str, where: object) -> str:
    place = f" ({where})" if where else ""
    return f"{reason}{place}. {_REMEDIES.get(code or 0, '')}"


def _complain(line: str) -> None:
    label = "\033[1;31mError:\033[0m" if sys.stderr.isatty() else "Error:"
    print(label, " ".join(line.split()), file=sys.stderr)


def _broken_pipe() -> int:
    """Stop silently when the reader of our output is gone (``moldiff info | head``)."""
    # Otherwise the interpreter's own flush at exit would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
