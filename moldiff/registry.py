"""Names in a configuration <-> classes, in both directions.

``@register("schedule", "cosine")`` gives a class a name; ``build("schedule",
{"name": "cosine"})`` builds it, and ``describe(obj)`` returns the mapping from which
``build`` rebuilds it.  Every value is checked against the annotation of its parameter, see
`moldiff.configuration`.  A parameter annotated with a class of registered parts
(``schedule: Schedule``, ``guides: tuple[Guidance, ...]``) is built and described recursively, so
a whole process is one nested mapping of plain values, and a part that does not fit raises an
error.  :func:`configure` does the same for groups of settings without a name.

``cites={"ho2020": "eq. 14"}`` names the papers behind a class, and the place in them; the keys
are those of ``references.bib``.

Parts of installed distributions (`moldiff.plugins`) are imported when names are listed or a name
is not found.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
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
    "settings",
    "supplied",
    "word",
]

T = TypeVar("T")
# Errors of constructors for values that do not fit together.
_WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def build(kind: str, config: Mapping[str, Any] | str, **context: Any) -> Any:
    """Build the object that a configuration describes.

    Parameters
    ----------
    kind:
        Kind of the part, e.g. ``"schedule"``.
    config:
        ``{"name": ..., parameter: value, ...}``, or just the name.
    context:
        Parameters that the caller supplies; the configuration must not set them.

    Raises
    ------
    ConfigError
        On an unknown name, an unknown or missing parameter, or a bad value.
    """
    return _build(kind, config, context)


def settings(config: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """Return the configuration of a part as a mapping; a name alone has no other settings."""
    return {"name": config} if isinstance(config, str) else config


def configure(cls: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Build a group of settings, a dataclass without a name in the registry, from plain values.

    Parameters
    ----------
    cls:
        The dataclass.
    values:
        Parameter -> value; parts as configurations for :func:`build`, or already built.
    where:
        The source of the values, for errors: "my.yaml", "the sampler".

    Raises
    ------
    ConfigError
        On an unknown or missing parameter, or a bad value.
    """
    return cls(**_arguments(cls, values, where))


def ready_made(kind: str) -> dict[str, Any]:
    """Return one object of each class of a kind that needs no settings, by name."""
    needless = (
        name
        for name in names(kind)
        if all(p.default is not p.empty for p in parameters(registered(kind, name)).values())
    )
    return {name: build(kind, name) for name in needless}


def describe(obj: Any) -> dict[str, Any]:
    """Return the plain mapping from which :func:`build` builds an equal object.

    By convention every registered class keeps each constructor parameter as an attribute
    of the same name, so this one function serves all of them.
    """
    described: dict[str, Any] = {"name": name_of(type(obj))}
    for key in inspect.signature(type(obj)).parameters:
        if key not in context_of(type(obj)):
            described[key] = _thawed(getattr(obj, key))
    return described


def _thawed(value: Any) -> Any:
    if has_name(type(value)):
        return describe(value)
    if isinstance(value, tuple | list):
        return [_thawed(v) for v in value]
    if _is_group(value):
        return {field.name: _thawed(getattr(value, field.name)) for field in fields(value)}
    return {k: _thawed(v) for k, v in value.items()} if isinstance(value, Mapping) else value


def _is_group(value: Any) -> bool:
    """Whether a value is a group of settings: a part, even one without a name, has a base class."""
    group = is_dataclass(value) and not isinstance(value, type)
    return group and type(value).__bases__ == (object,)


def _build(
    kind: str,
    config: Any,
    context: Mapping[str, Any] = MappingProxyType({}),
    *,
    wanted: type = object,
    place: Place | None = None,
) -> Any:
    """Build a part that must be a ``wanted``; ``place`` is its place in another part."""
    config = settings(config)
    if not isinstance(config, Mapping) or "name" not in config:
        names(kind)  # also imports parts of distributions
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
            f"The {word(kind)} '{name}' cannot be built from {dict(config)!r}: {error}.",
            fix=f"Settings: {', '.join(parameters(cls)) or 'none'}.",
        ) from error


def _arguments(
    cls: type, values: Mapping[str, Any], where: str, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The checked arguments of a constructor; ``context`` is passed unchecked."""
    declared, context = parameters(cls), context or {}
    reserved = context_of(cls) | context.keys()
    configurable = [name for name in declared if name not in reserved]
    for key in values:
        if key not in configurable:
            raise ConfigError(
                f"There is no setting '{key}' in {where}.",
                fix=did_you_mean(str(key), configurable)
                if configurable
                else "It takes no settings.",
            )
    missing = [
        n
        for n in configurable
        if n not in values and declared[n].default is inspect.Parameter.empty
    ]
    if missing:
        raise ConfigError(
            f"In {where}, '{missing[0]}' is missing.", fix=f"Add '{missing[0]}: ...'."
        )
    return {
        **{key: _argument(declared[key], value, where) for key, value in values.items()},
        **{key: value for key, value in context.items() if key in declared},
    }


def _argument(parameter: inspect.Parameter, value: Any, where: str) -> Any:
    place = Place.of(where, parameter)
    if parameter.annotation is Any and is_kind(parameter.name):
        return _build(parameter.name, value, place=place)
    return fitted(parameter.annotation, value, place, _instance)


def _instance(wanted: type, value: Any, place: Place) -> Any:
    """The argument for a parameter annotated with a class: an instance, built if necessary."""
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
    return frozen(value)  # a class that interprets its value itself
