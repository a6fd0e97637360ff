"""Wrong command lines, in words of ours: the option, what is wrong with its value, what is meant.

typer finds them. Its words, and those of the library that checks its values, are for programmers.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["usage_line"]

# kind of error of the library that checks values -> what a value must be
_MUST_BE: Mapping[str, str] = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
}
_NEAR_OPTION, _NEAR_CHOICE = 0.75, 0.7  # similarity (Ratcliff and Obershelp) of what is suggested


def usage_line(error: Any, command: str) -> str:
    """Return what is wrong with a command line, and where help is.

    Parameters
    ----------
    error:
        The error of typer; its classes have moved between versions.
    command:
        The command, for errors that do not say it.
    """
    context = getattr(error, "ctx", None)
    path = command if context is None or context.parent is None else context.command_path
    message = (
        _value(error) or _option(error) or _function(error) or error.format_message().rstrip("?. ")
    )
    # Newer versions of typer put the words of that library before ours.
    message = message.replace("Value error, ", "")
    end = "?" if "Did you mean" in message else f".{_meant(message, context)}"
    return f"{message}{end} See: {path} --help"


def _value(error: Any) -> str | None:
    """What is wrong with a value that the library has refused."""
    details = getattr(error.__cause__, "errors", None)
    faults = details() if callable(details) else ()
    names = getattr(getattr(error, "param", None), "opts", ())
    if not faults or not names or faults[0].get("type") not in _MUST_BE:
        return None
    detail = faults[0]
    limits = {k: f"{v:g}" if isinstance(v, float) else v for k, v in detail.get("ctx", {}).items()}
    must = _MUST_BE[detail["type"]]
    value = detail["input"] if "{" in must else repr(detail["input"])
    name = next((name for name in names if name.startswith("--")), names[0])
    return f"{name} must be {must.format_map(limits)}, not {value}"


def _option(error: Any) -> str | None:
    """An option that there is not, and the one that is probably meant."""
    name, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if name is None or not hasattr(error, "possibilities"):
        return None
    parameters = getattr(getattr(context, "command", None), "params", ())
    known = [one for each in parameters for one in (*each.opts, *each.secondary_opts)]
    near = _near(name, known, _NEAR_OPTION)
    return f"There is no option {name}{'.' if near else ''}{near}".rstrip("?")


def _function(error: Any) -> str | None:
    """A command that there is not, but a function of that name in Python."""
    import moldiff

    wrong = re.search(r"No such command '(\w+)'", error.format_message())
    parent = getattr(getattr(error, "ctx", None), "parent", None)
    known = [name for name in moldiff.__all__ if name.islower()]
    if wrong is None or parent is not None or wrong[1] not in known:
        return None
    return f"There is no command '{wrong[1]}', but a function in Python: moldiff.{wrong[1]}"


def _meant(message: str, context: Any) -> str:
    """A near miss among the choices of an option, or the commands; "" where none is near."""
    if choice := re.search(r"'([^']*)' is not one of (.+)", message):
        return _near(choice[1], re.findall(r"'([^']*)'", choice[2]), _NEAR_CHOICE)
    if wrong := re.search(r"No such command '([^']*)'", message):
        known = getattr(getattr(context, "command", None), "commands", ())
        return _near(wrong[1], known, _NEAR_CHOICE)
    return ""


def _near(word: str, known: Iterable[str], similarity: float) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=similarity)
    return f" Did you mean '{close[0]}'?" if close else ""
