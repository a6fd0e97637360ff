"""The errors users meet: each says what is wrong, where, and how to fix it.

Only problems of the *request* are exceptions (a missing file, a misspelt key, a
corrupt model).  A bad molecule is data: functions that read or check molecules
return a reason beside it and never raise.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "DataError",
    "InputError",
    "MissingExtraError",
    "MissingFieldError",
    "ModelFileError",
    "MoldiffError",
    "did_you_mean",
]


class MoldiffError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what:
        One sentence: what is wrong and where (file, key, record, value).
    fix:
        One sentence: what the user can do about it.
    """

    def __init__(self, what: str, *, fix: str = "") -> None:
        self.what = what
        self.fix = fix
        super().__init__(f"{what} {fix}".strip())


class InputError(MoldiffError):
    """A file, argument or option given by the user cannot be used."""


class ConfigError(MoldiffError):
    """A configuration names an unknown key, an unknown class or a bad value."""


class MissingFieldError(ConfigError, KeyError):
    """A part, such as a guidance, asks a batch for a field that it does not hold."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no field '{name}' in this batch.", fix=f"It holds {', '.join(known)}."
        )

    __str__ = Exception.__str__  # a KeyError would quote it


class ModelFileError(MoldiffError):
    """A model or checkpoint file is missing, truncated, corrupt or incompatible."""


class DataError(MoldiffError):
    """A data set is missing, incomplete or does not match its checksum."""


class MissingExtraError(MoldiffError):
    """An optional dependency is needed; says which ``pip install`` brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed.",
            fix=f"Run: pip install 'moldiff[{extra}]'",
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"Did you mean 'x'?"`` for a near miss, else the list of what is known."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1)
    if close:
        return f"Did you mean '{close[0]}'? Known: {', '.join(options)}."
    return f"Known: {', '.join(options)}."
