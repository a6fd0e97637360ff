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
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from moldiff.configuration import Place, fitted, frozen, mismatch, parameters
from moldiff.errors import ConfigError, did_you_mean
from moldiff.plugins import installed_parts, remedy, written_by_hand

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
    "word",
]

T = TypeVar("T")
_REGISTRY: dict[str, dict[str, type]] = {}
_NAMES: dict[type, tuple[str, str]] = {}
_CITES: dict[type, Mapping[str, str]] = {}
# Kind -> what it is called, where that is another word: for a network the key of configurations.
_WORDS = {"interaction": "network", "times": "distribution of times", "grid": "grid of times"}
# What constructors raise on values that do not go together.
_WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def register(
    kind: str, name: str, *, cites: Mapping[str, str] | None = None
) -> Callable[[type[T]], type[T]]:
    """Return a class decorator that files the class under ``kind`` and ``name``.

    ``cites`` maps keys of `moldiff.references` to the equation or section.  A class that is
    defined again, by its module or by running the same cell, script or file of ``--import`` once
    more, replaces its older self.

    Raises
    ------
    ValueError
        By the decorator, if another class has the name.
    """

    def decorate(cls: type[T]) -> type[T]:
        older = _REGISTRY.setdefault(kind, {}).get(name)
        if older is not None and not _again(older, cls):
            raise ValueError(
                f"there is a {kind} called '{name}' already, "
                f"{older.__module__}.{older.__qualname__}"
            )
        _REGISTRY[kind][name] = cls
        _NAMES[cls] = (kind, name)
        _CITES[cls] = MappingProxyType(dict(cites or {}))
        return cls

    return decorate


def _again(older: type, newer: type) -> bool:
    """Whether a class is a new version of another."""
    same = older.__qualname__ == newer.__qualname__ or written_by_hand(newer.__module__)
    return same and older.__module__ == newer.__module__


def kinds() -> tuple[str, ...]:
    """Return the registered kinds, sorted."""
    installed_parts()
    return tuple(sorted(_REGISTRY))


def names(kind: str) -> tuple[str, ...]:
    """Return the names registered under ``kind``, sorted."""
    installed_parts()
    return tuple(sorted(_REGISTRY.get(kind, {})))


def registered(kind: str, name: str) -> type:
    """Return the class called ``name``.

    Raises
    ------
    ConfigError
        If there is no such name, with the nearest one that exists.
    """
    return _part(kind, name)


def word(kind: str) -> str:
    """Return what a kind is called in sentences."""
    return _WORDS.get(kind, kind).replace("_", " ")


def has_name(cls: type) -> bool:
    """Return whether a class is registered, so that :func:`describe` takes its instances."""
    return cls in _NAMES


def cited(kind: str, name: str) -> Mapping[str, str]:
    """Return the papers behind a class: key of the reference -> equation, section or subject.

    Raises
    ------
    ConfigError
        If there is no such name.
    """
    return _CITES[registered(kind, name)]


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
        if all(p.default is not p.empty for p in parameters(_REGISTRY[kind][name]).values())
    )
    return {name: build(kind, name) for name in needless}


def describe(obj: Any, *, omit: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the plain mapping from which :func:`build` makes an equal object.

    Every registered class keeps each constructor parameter as an attribute of the
    same name; that convention is what makes this one function enough.
    """
    _, name = _NAMES[type(obj)]
    described: dict[str, Any] = {"name": name}
    for key in inspect.signature(type(obj)).parameters:
        if key not in omit:
            described[key] = _thawed(getattr(obj, key))
    return described


def _thawed(value: Any) -> Any:
    if type(value) in _NAMES:
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
        installed_parts()
        what = f"The {word(kind)}" if place is None else f"In {place.where}, {place.subject}"
        raise ConfigError(
            f"{what} must be a name or a mapping with the key 'name', not {config!r}.",
            fix=f"Known names: {', '.join(_fitting(kind, wanted))}.",
        )
    name = str(config["name"])
    cls = _part(kind, name, wanted, place)
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


def _part(kind: str, name: str, wanted: type = object, place: Place | None = None) -> type:
    """The class called ``name``, which must be a ``wanted``."""
    if name not in _REGISTRY.get(kind, {}):
        installed_parts()
    fitting = _fitting(kind, wanted)
    if name in fitting:
        return fitting[name]
    if place is not None and name in _REGISTRY.get(kind, {}):
        raise ConfigError(
            f"In {place.where}, {place.subject} cannot be the {word(kind)} '{name}'.",
            fix=f"Names that fit: {', '.join(fitting) or 'none'}.",
        )
    raise ConfigError(f"There is no {word(kind)} called '{name}'.", fix=remedy(name, fitting))


def _fitting(kind: str, wanted: type) -> dict[str, type]:
    """The classes of a kind that are a ``wanted``, by name, sorted."""
    return {n: cls for n, cls in sorted(_REGISTRY.get(kind, {}).items()) if _is(cls, wanted)}


def _is(cls: type, wanted: type) -> bool:
    try:
        return issubclass(cls, wanted)
    except TypeError:  # a protocol that can only be checked by type checkers
        return True


def _arguments(
    cls: type, values: Mapping[str, Any], where: str, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The arguments of a constructor, every value checked; ``context`` goes in as it is."""
    known, context = parameters(cls), context or {}
    own = [name for name in known if name not in context]
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
    if parameter.annotation is Any and parameter.name in _REGISTRY:
        return _build(parameter.name, value, place=place)
    return fitted(parameter.annotation, value, place, _made)


def _made(wanted: type, value: Any, place: Place) -> Any:
    """What a parameter annotated with a class is given: a part or settings, if not made yet."""
    if _is(type(value), wanted):
        return value
    kind = _kind(wanted, place.key)
    if kind is not None:
        return _build(kind, value, wanted=wanted, place=place)
    if inspect.isabstract(wanted):
        raise mismatch(wanted, value, place)
    if is_dataclass(wanted):
        if not isinstance(value, Mapping):
            raise mismatch(Mapping, value, place)
        return configure(wanted, value, where=f"{place.subject} of {place.where}")
    return frozen(value)  # a class that knows itself what it is made from


def _kind(wanted: type, key: str) -> str | None:
    """The kind of parts a class stands for: the parameter's name, or the one there can be."""
    found = {kind for kind in _REGISTRY if _fitting(kind, wanted)}
    if key in found:
        return key
    return found.pop() if len(found) == 1 else None
