"""Names in a configuration <-> classes, in both directions.

``@register("schedule", "cosine")`` gives a class a name; ``build("schedule",
{"name": "cosine"})`` makes it, and ``describe(obj)`` returns the mapping from which
``build`` makes it again.  Parameters whose own name is a registered kind
(``schedule=...``, ``space=...``) are built and described recursively, so a whole
process is one nested mapping of plain values.

``cites={"ho2020": "eq. 14"}`` says which papers a class comes from, and where in them; the
keys are those of ``references.bib``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from moldiff.errors import ConfigError, did_you_mean

__all__ = ["build", "cited", "describe", "kinds", "names", "register", "registered", "supplied"]

T = TypeVar("T")
_REGISTRY: dict[str, dict[str, type]] = {}
_NAMES: dict[type, tuple[str, str]] = {}
_CITES: dict[type, Mapping[str, str]] = {}
_CONTEXT: dict[type, frozenset[str]] = {}
# Kind -> the key of a configuration under which the user described it, where they differ.
_WORDS = {"interaction": "network"}


def register(
    kind: str,
    name: str,
    *,
    cites: Mapping[str, str] | None = None,
    context: Iterable[str] = (),
) -> Callable[[type[T]], type[T]]:
    """Return a class decorator that files the class under ``kind`` and ``name``.

    ``cites`` maps keys of `moldiff.references` to the equation or section.  ``context`` names
    the parameters that whoever builds the object supplies, and no configuration.
    """

    def decorate(cls: type[T]) -> type[T]:
        if name in _REGISTRY.setdefault(kind, {}):
            raise ValueError(f"there is a {kind} called '{name}' already")
        _REGISTRY[kind][name] = cls
        _NAMES[cls] = (kind, name)
        _CITES[cls] = MappingProxyType(dict(cites or {}))
        _CONTEXT[cls] = frozenset(context)
        return cls

    return decorate


def kinds() -> tuple[str, ...]:
    """Return the registered kinds, sorted."""
    return tuple(sorted(_REGISTRY))


def names(kind: str) -> tuple[str, ...]:
    """Return the names registered under ``kind``, sorted."""
    return tuple(sorted(_REGISTRY.get(kind, {})))


def registered(kind: str, name: str) -> type:
    """Return the class called ``name``.

    Raises
    ------
    ConfigError
        If there is no such name, with the nearest one that exists.
    """
    try:
        return _REGISTRY[kind][name]
    except KeyError:
        raise ConfigError(
            f"There is no {_word(kind)} called '{name}'.", fix=did_you_mean(str(name), names(kind))
        ) from None


def cited(kind: str, name: str) -> Mapping[str, str]:
    """Return the papers behind a class: key of the reference -> equation, section or subject.

    Raises
    ------
    ConfigError
        If there is no such name.
    """
    return _CITES[registered(kind, name)]


def supplied(kind: str, name: str) -> frozenset[str]:
    """Return the parameters of a class that whoever builds it supplies, and no configuration.

    Raises
    ------
    ConfigError
        If there is no such name.
    """
    return _CONTEXT[registered(kind, name)]


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
    word = _word(kind)
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, Mapping) or "name" not in config:
        raise ConfigError(
            f"The {word} must be a name or a mapping with the key 'name', not {config!r}.",
            fix=f"Known names: {', '.join(names(kind))}.",
        )
    cls = registered(kind, str(config["name"]))
    parameters = inspect.signature(cls).parameters
    reserved = _CONTEXT[cls] | context.keys()
    arguments: dict[str, Any] = {}
    for key, value in config.items():
        if key == "name":
            continue
        if key not in parameters or key in reserved:
            allowed = [p for p in parameters if p not in reserved]
            raise ConfigError(
                f"The {word} '{config['name']}' has no setting '{key}'.",
                fix=did_you_mean(key, allowed) if allowed else "It takes no settings.",
            )
        if key in _REGISTRY:
            arguments[key] = build(key, value)
        else:
            _check(f"'{key}' of the {word} '{config['name']}'", parameters[key], value)
            whole = str(parameters[key].annotation) == "float" and isinstance(value, int)
            arguments[key] = float(value) if whole else _frozen(value)
    try:
        return cls(**arguments, **{k: v for k, v in context.items() if k in parameters})
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ConfigError(
            f"The {word} '{config['name']}' cannot be made from {dict(config)!r}: {error}.",
            fix=f"Settings it takes: {', '.join(parameters) or 'none'}.",
        ) from error


def describe(obj: Any, *, omit: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the plain mapping from which :func:`build` makes an equal object.

    Every registered class keeps each constructor parameter as an attribute of the
    same name; that convention is what makes this one function enough.
    """
    _, name = _NAMES[type(obj)]
    described: dict[str, Any] = {"name": name}
    for key in inspect.signature(type(obj)).parameters:
        if key not in omit and key not in _CONTEXT[type(obj)]:
            value = getattr(obj, key)
            described[key] = describe(value) if type(value) in _NAMES else _thawed(value)
    return described


def _word(kind: str) -> str:
    return _WORDS.get(kind, kind)


_SCALARS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "float": (int, float),
    "int": (int,),
    "str": (str,),
}


def _check(what: str, parameter: inspect.Parameter, value: Any) -> None:
    """Compare a plain value with the annotation of a parameter, where that is a plain type."""
    annotation = str(parameter.annotation)
    wanted = _SCALARS.get(annotation)
    if wanted and (
        not isinstance(value, wanted) or isinstance(value, bool) != (annotation == "bool")
    ):
        raise ConfigError(
            f"{what} must be of type {annotation}, not {value!r}.",
            fix="Numbers like 1e-3 are text in YAML: write 1.0e-3."
            if isinstance(value, str)
            else "Correct the value.",
        )


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that frozen dataclasses stay hashable."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_thawed(v) for v in value]
    return dict(value) if isinstance(value, Mapping) else value
