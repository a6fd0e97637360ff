"""Groups of options: a parameter of a command that is a dataclass stands for an option per field.

Commands that share options share the dataclass, with its help texts, defaults and checks, and what
the options mean together are its methods.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

__all__ = ["grouped", "presented"]


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that takes the fields of its dataclasses as options, in their place."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += _options(parameter.annotation)
        else:
            parameters.append(parameter)

    def run(**options: Any) -> Any:
        for name, group in groups.items():
            options[name] = group(
                **{field.name: options.pop(field.name) for field in fields(group)}
            )
        return command(**options)

    return presented(run, command, parameters)


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def presented(
    function: Callable[..., Any],
    command: Callable[..., Any],
    parameters: Iterable[inspect.Parameter],
) -> Callable[..., Any]:
    """Return a function with the name and the documentation of a command, and these parameters."""
    functools.update_wrapper(function, command)
    del function.__wrapped__  # type: ignore[attr-defined]
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    function.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in own}
    return function
