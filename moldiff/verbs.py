"""What all verbs do alike: tell which word of a call is wrong, and whose part failed.

``@verb`` stands above the public functions.  A call that does not fit is a `KeywordError` with the
nearest name.  What a part of the user's own raises, such as a sampler or a guidance, becomes a
`PartError`, which names the part and the line and has the original error as its cause.  Every other
error stays as it is.
"""

from __future__ import annotations

import errno
import functools
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, TypeVar, cast

from moldiff.catalogue import has_name, known_as
from moldiff.errors import KeywordError, MoldiffError, PartError, did_you_mean, parameter_of
from moldiff.plugins import reason_of

__all__ = ["part_error", "verb"]

F = TypeVar("F", bound=Callable[..., Any])

_REPORT = "if the same comes without it, report that."


def verb(function: F) -> F:
    """Return a public function whose errors say what is wrong with the call, or with a part.

    Signature and docstring are the function's own.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*arguments: Any, **keywords: Any) -> Any:
        _check(function.__name__, signature, arguments, keywords)
        try:
            return function(*arguments, **keywords)
        except Exception as error:
            if (fault := part_error(error)) is not None:
                raise fault from error
            raise

    return cast(F, called)


def _check(
    name: str, signature: inspect.Signature, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> None:
    """Raise ``KeywordError`` for arguments that a function does not take, or lacks."""
    for word in keywords:
        if word not in signature.parameters:
            raise KeywordError(
                f"{name}() has no keyword '{word}'.",
                fix=did_you_mean(parameter_of(word), signature.parameters),
            )
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        needed = [
            f"{p.name}=..." if p.kind is p.KEYWORD_ONLY else p.name
            for p in signature.parameters.values()
            if p.default is p.empty
        ]
        raise KeywordError(
            f"{name}() cannot be called so: {error}.",
            fix=f"Write {name}({', '.join([*needed, '...'])}); help({name}) tells the rest.",
        ) from None
    progress = keywords.get("progress")
    if progress is not None and not callable(progress):
        raise KeywordError(
            f"{name}() cannot tell its progress to {progress!r}.",
            fix="Give a function, which is called with how far it is: progress=print.",
        )


_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def part_error(error: Exception) -> PartError | None:
    """Return the error that a part of the user's own has failed; None if none was at work.

    A part is of the user's own if its class is not of this package and stands for a part of it:
    it is registered, or has a base class of the package.  The innermost one is named.  Where none
    was running, what fails may be what one returned.
    """
    if isinstance(error, MoldiffError | MemoryError):  # the one says itself what is wrong
        return None
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    parts = [(k, cls) for k, (frame, _) in enumerate(frames) if (cls := _part_of(frame))]
    if parts:
        first, cls = parts[-1]
        return _raised(cls, frames[first:], error)
    if frames and _ours(_module(frames[-1][0])):
        return _returned(*frames[-1], error)
    return None


def _raised(cls: type, frames: Sequence[tuple[FrameType, int]], error: Exception) -> PartError:
    """The error of a part whose method the first frame runs."""
    file, inside = frames[0][0].f_code.co_filename, ""
    for frame, number in frames:
        if frame.f_code.co_filename == file:
            line, inside = number, ""
        elif _ours(_module(frame)):
            inside = f" in {_module(frame)}, line {number}, which it called"
    fix = "Correct the code, or leave it out."
    if inside:
        fix = f"Correct what it hands over there; {_REPORT}"
    called = f"{known_as(cls)} (class {cls.__qualname__}, {file}, line {line})"
    return PartError(f"{called} failed{inside}: {reason_of(error)}.", fix=fix)


def _returned(frame: FrameType, number: int, error: Exception) -> PartError | None:
    """The error of a function of this package that has just used a part; None if it used none."""
    values = [*frame.f_locals.values(), *_attributes(frame.f_locals.get("self"))]
    cls = next((type(value) for value in values if _is_own(type(value))), None)
    if cls is None:
        return None
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__
    return PartError(
        f"{known_as(cls)} (class {cls.__qualname__}, {file}) may have returned what does not fit: "
        f"{_module(frame)}, line {number}, fails with {reason_of(error)}.",
        fix=f"Compare what it returns with what its base class says; {_REPORT}",
    )


def _attributes(value: object) -> list[Any]:
    return list(vars(value).values()) if hasattr(value, "__dict__") else []


def _part_of(frame: FrameType) -> type | None:
    """The class of the user's own whose method a frame runs, if it is a part."""
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    cls = first if isinstance(first, type) else type(first)
    # Methods that it inherits from a library, or from this package, are not the user's code.
    own = [base for base in cls.__mro__ if _is_own(base)]
    return cls if _module(frame) in {base.__module__ for base in own} else None


def _is_own(cls: type) -> bool:
    stands_for_a_part = has_name(cls) or any(_ours(base.__module__) for base in cls.__mro__)
    return stands_for_a_part and not _ours(cls.__module__)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _ours(module: str) -> bool:
    return module == "moldiff" or module.startswith("moldiff.")
