"""Names in a configuration <-> classes, in both directions.

``@register("schedule", "cosine")`` gives a class a name; ``build("schedule",
{"name": "cosine"})`` makes it, and ``describe(obj)`` returns the mapping from which
``build`` makes it again.  Every value is compared with the annotation of its parameter, as
`moldiff.configuration` says.  A parameter annotated with a class of registered parts
(``schedule: Schedule``, ``guides: tuple[Guidance, ...]``) is built and described recursively, so
a whole process is one nested mapping of plain values, and a part that does not fit there is
refused.  :func:`configure` does the same for groups of settings that have no name.

``cites={"ho2020": "eq. 14"}`` says which papers a class comes from, and where in them; the
keys are those of ``references.bib``.

Parts of installed distributions (`moldiff.plugins`) are imported when names are listed, or one is
not found.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from moldiff.catalogue import (
    cited,
    context_of,
    fitting,
    has_name,
    is_a,
    is_kind,
    kind_of,
    kinds,
    name_of,
    names,
    part,
    register,
    registered,
    supplied,
    word,
)
from moldiff.configuration import Place, fitted, frozen, mismatch, parameters
from moldiff.errors import ConfigError, did_you_mean

__all__ = [
    "build",
    "cited",
    "configure",
    "describe",
    "has_name",
    "kinds",
    "names",
    "ready_made",
    "register",
    "registered",
    "supplied",
    "word",
]

T = TypeVar("T")
# What constructors raise on values that do not go together.
_WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def build(kind: str, config: Mapping[str, Any] | str, **context: Any) -> Any:
    """Make the object a configuration describes.

    Parameters
    ----------
    kind:
        What is to be made, e.g. ``"schedule"``.
    config:
        ``{"name": ..., parameter: value, ...}``, or just the name.
    context:
        Parameters the caller supplies; the configuration may not set them.

    Raises
    ------
    ConfigError
        On an unknown name, an unknown or missing parameter, or a bad value.
    """
    return _build(kind, config, context)


def configure(cls: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Make a group of settings, a dataclass without a name in the registry, from plain values.

    Parameters
    ----------
    cls:
        What is to be made.
    values:
        Parameter -> value; parts as :func:`build` takes them, or ready.
    where:
        What the values are, for errors: "my.yaml", "the sampler".

    Raises
    ------
    ConfigError
        On an unknown or missing parameter, or a bad value.
    """
    return cls(**_arguments(cls, values, where))


def ready_made(kind: str) -> dict[str, Any]:
    """Return by name an object of each class of a kind that needs no settings."""
    needless = (
        name
        for name in names(kind)
        if all(p.default is not p.empty for p in parameters(registered(kind, name)).values())
    )
    return {name: build(kind, name) for name in needless}


def describe(obj: Any, *, omit: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the plain mapping from which :func:`build` makes an equal object.

    Every registered class keeps each constructor parameter as an attribute of the
    same name; that convention is what makes this one function enough.
    """
    described: dict[str, Any] = {"name": name_of(type(obj))}
    left_out = {*omit, *context_of(type(obj))}
    for key in inspect.signature(type(obj)).parameters:
        if key not in left_out:
            described[key] = _thawed(getattr(obj, key))
    return described


def _thawed(value: Any) -> Any:
    if has_name(type(value)):
        return describe(value)
    if isinstance(value, tuple | list):
        return [_thawed(v) for v in value]
    return {k: _thawed(v) for k, v in value.items()} if isinstance(value, Mapping) else value


def _build(
    kind: str,
    config: Any,
    context: Mapping[str, Any] = MappingProxyType({}),
    *,
    wanted: type = object,
    place: Place | None = None,
) -> Any:
    """Make a part that has to be a ``wanted``; ``place`` is where in another part it stands."""
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, Mapping) or "name" not in config:
        names(kind)  # of distributions, too
        what = f"The {word(kind)}" if place is None else f"In {place.where}, {place.subject}"
        raise ConfigError(
            f"{what} must be a name or a mapping with the key 'name', not {config!r}.",
            fix=f"Known names: {', '.join(fitting(kind, wanted))}.",
        )
    name = str(config["name"])
    cls = part(kind, name, wanted, place)
    where = f"the {word(kind)} '{name}'" + ("" if place is None else f" of {place.where}")
    values = {key: value for key, value in config.items() if key != "name"}
    arguments = _arguments(cls, values, where, context)
    try:
        return cls(**arguments)
    except _WRONG as error:
        raise ConfigError(
            f"The {word(kind)} '{name}' cannot be made from {dict(config)!r}: {error}.",
            fix=f"Settings it takes: {', '.join(parameters(cls)) or 'none'}.",
        ) from error


def _arguments(
    cls: type, values: Mapping[str, Any], where: str, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The arguments of a constructor, every value checked; ``context`` goes in as it is."""
    known, context = parameters(cls), context or {}
    reserved = context_of(cls) | context.keys()
    own = [name for name in known if name not in reserved]
    for key in values:
        if key not in own:
            raise ConfigError(
                f"There is no setting '{key}' in {where}.",
                fix=did_you_mean(str(key), own) if own else "It takes no settings.",
            )
    missing = [n for n in own if n not in values and known[n].default is inspect.Parameter.empty]
    if missing:
        raise ConfigError(
            f"In {where}, '{missing[0]}' is missing.", fix=f"Add '{missing[0]}: ...'."
        )
    return {
        **{key: _argument(known[key], value, where) for key, value in values.items()},
        **{key: value for key, value in context.items() if key in known},
    }


def _argument(parameter: inspect.Parameter, value: Any, where: str) -> Any:
    place = Place.of(where, parameter)
    if parameter.annotation is Any and is_kind(parameter.name):
        return _build(parameter.name, value, place=place)
    return fitted(parameter.annotation, value, place, _made)


def _made(wanted: type, value: Any, place: Place) -> Any:
    """What a parameter annotated with a class is given: a part or settings, if not made yet."""
    if is_a(type(value), wanted):
        return value
    kind = kind_of(wanted, place.key)
    if kind is not None:
        return _build(kind, value, wanted=wanted, place=place)
    if inspect.isabstract(wanted):
        raise mismatch(wanted, value, place)
    if is_dataclass(wanted):
        if not isinstance(value, Mapping):
            raise mismatch(Mapping, value, place)
        return configure(wanted, value, where=f"{place.subject} of {place.where}")
    return frozen(value)  # a class that knows itself what it is made from
