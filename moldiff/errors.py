"""The errors users meet: each says what is wrong, where, and how to fix it.

Only problems of the *request* are exceptions (a missing file, a misspelt key, a
corrupt model).  A bad molecule is data: functions that read or check molecules
return a reason beside it and never raise.

Errors are written in the words of the command line, ``--pocket-ligand A:301``.  As exceptions of
Python they name its parameters, ``pocket_ligand='A:301'``: `in_python` translates.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "ConfigError",
    "DataError",
    "InputError",
    "KeywordError",
    "MissingExtraError",
    "MissingFieldError",
    "ModelFileError",
    "MoldiffError",
    "PartError",
    "did_you_mean",
    "in_python",
    "parameter_of",
    "unknown_suffix",
]

# A command is quoted as it is typed; an option may have a value behind it: in quotes, with a digit,
# or one of a few words.
_SPOKEN = re.compile(
    r"""(?P<command>\b(?:moldiff|pip)\ [a-z](?:[^;,()\s]|[;,]\S|\s)*)
    |(?<![\w./-])(?P<quote>'?)--(?P<option>[a-z][a-z-]*[a-z])(?P=quote)
     (?:[ =](?P<value>'[^']*'|[\w.:=+-]*\d[\w.:,/+-]*
     |(?:cuda|generate|latent|pose|random|strict|FILE|HOH|WHEEL)\b))?""",
    re.VERBOSE,
)
# Parameters that are not called as their options, those that take a list, and what is said in
# another way.
_PARAMETERS = {
    "box-size": "size",
    "condition": "conditions",
    "keep-atoms": "keep",
    "kept": "part",
    "ligands": "ligand",
    "searches": "chains",
}
_LISTS = {"exclude", "keep", "only", "rebuild", "require", "residues", "smiles", "without"}
_PHRASES = {
    "--add 3..10": "add=Interval(3, 10)",
    "--any-charge": "net_charge=None",
    "--bands 10..18,19..26": "bands=[(10, 18), (19, 26)]",
    "--filter strict": "keep_valid=True",
    "--import FILE": "moldiff.plugins.import_source('FILE')",
    "--smiles FILE --smiles-alone": "smiles=['FILE'], smiles_alone=True",
    "--waters all": "waters=True",
}


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
        super().__init__(self.line)

    @property
    def line(self) -> str:
        """Both sentences, in the words of the command line."""
        return f"{self.what} {self.fix}".strip()

    def __str__(self) -> str:
        """Both sentences, in the words of Python."""
        return in_python(self.line)


class InputError(MoldiffError):
    """A file, argument or option given by the user cannot be used."""


class KeywordError(InputError, TypeError):
    """A function is called with a keyword that it does not have, or without one that it needs."""


class ConfigError(MoldiffError):
    """A configuration names an unknown key, an unknown class or a bad value."""


class MissingFieldError(ConfigError, KeyError):
    """A part, such as a guidance, asks a batch for a field that it does not hold."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no field '{name}' in this batch.", fix=f"It holds {', '.join(known)}."
        )

    __str__ = MoldiffError.__str__  # a KeyError would quote it


class ModelFileError(MoldiffError):
    """A model or checkpoint file is missing, truncated, corrupt or incompatible."""


class DataError(MoldiffError):
    """A data set is missing, incomplete or does not match its checksum."""


class PartError(MoldiffError):
    """A part of the user's own, such as a sampler or a guidance, raised an error: its cause."""


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


def in_python(text: str) -> str:
    """Return a message with parameters of Python in place of options of the command line."""
    for phrase, python in _PHRASES.items():
        text = text.replace(phrase, python)
    return _SPOKEN.sub(_parameter, text)


def parameter_of(option: str) -> str:
    """Return the parameter of Python for the name of an option: ``box_size`` is ``size``."""
    return _PARAMETERS.get(option.replace("_", "-"), option.replace("-", "_"))


def _parameter(match: re.Match[str]) -> str:
    if match["command"]:
        return match[0]
    name = parameter_of(match["option"])
    if match["value"] is None:
        return f"'{name}'"
    value = match["value"].rstrip(".,:")
    # Options that are typed in a row are keywords with commas between.
    after = match["value"][len(value) :] or "," * match.string.startswith(" --", match.end())
    return f"{name}={_literal(name, value)}{after}"


def _literal(name: str, value: str) -> str:
    """The value of an option as Python writes it."""
    if name in _LISTS:
        return repr(value.strip("'").split(","))
    key, equals, number = value.partition("=")
    if name == "conditions" and equals:
        return f"{{{key!r}: {number}}}"
    return value if re.fullmatch(r"-?\d+(\.\d+)?|'.*'", value) else repr(value)


def unknown_suffix(what: str, path: Path, known: Iterable[str]) -> InputError:
    """Return the error that something cannot be saved as a file of that suffix."""
    return InputError(
        f"{what} cannot be saved as '{path.name}': its suffix is unknown.",
        fix=did_you_mean(path.suffix.lower(), known),
    )
