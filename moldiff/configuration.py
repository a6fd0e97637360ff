"""Check plain values, from a configuration or a caller, against the annotations of a class.

The annotation of a parameter is its only specification: ``steps: Annotated[int, Range(1)]`` accepts
3 and rejects 0, 2.5, true and text.  Supported are bool, int, float, str, None, ``X | None`` and
other unions, ``Literal``, ``Annotated`` with a :class:`Range`, lists, tuples, sets and mappings of
these, and classes.  The caller decides how to build instances of classes: `moldiff.registry` builds
registered parts and groups of settings; :func:`check_fields` accepts only instances.

Annotations that cannot be resolved (a name imported only for type checkers, or local to a function)
or have another meaning are not checked; those of the other parameters are.
"""

from __future__ import annotations

import inspect
import math
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence, Set
from dataclasses import dataclass, is_dataclass, replace
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from moldiff.errors import ConfigError, did_you_mean

__all__ = [
    *("Make", "Place", "Range", "Share"),
    *("check_fields", "fitted", "frozen", "mismatch", "parameters"),
]


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``, both included: ``Annotated[float, Range(0, 1)]``."""

    low: float
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"at least {self.low}"
        return f"from {self.low} to {self.high}"


Share: TypeAlias = Annotated[float, Range(0, 1)]
"""A number from 0 to 1."""


@dataclass(frozen=True)
class Place:
    """The place of a value, for error messages.

    Attributes
    ----------
    where:
        The configured object: "the stepper 'ancestral'", "my.yaml".
    key:
        The parameter.
    subject:
        The parameter, or the part of it being checked: "entry 2 of 'betas'".
    fix:
        The remedy for a wrong value.
    """

    where: str
    key: str
    subject: str
    fix: str = "Correct the value."

    @classmethod
    def of(cls, where: str, parameter: inspect.Parameter) -> Place:
        """Return the place of a parameter's value, with the default as the remedy."""
        subject, default = f"'{parameter.name}'", parameter.default
        if isinstance(default, str | int | float):
            return cls(where, parameter.name, subject, f"The default is {default!r}.")
        return cls(where, parameter.name, subject)

    def inside(self, what: str) -> Place:
        """Return the place of a part of the value."""
        return replace(self, subject=f"{what} of {self.subject}")


Make = Callable[[type, Any, Place], Any]
"""Builds an instance from a class, a value and its place, or raises ``ConfigError``."""


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class by name, with the annotations as types.

    Missing and unresolvable annotations become ``Any``; ``*args`` and ``**kwargs`` are left out,
    since a configuration cannot name them.
    """
    result = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            result[name] = parameter.replace(annotation=_resolved(cls, parameter))
    return result


def _resolved(cls: type, parameter: inspect.Parameter) -> Any:
    if parameter.annotation is parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        hints = get_type_hints(holder, _namespace(cls, parameter.name), include_extras=True)
    except Exception:  # evaluating an annotation may raise anything
        return Any
    return hints[parameter.name]


def _namespace(cls: type, name: str) -> dict[str, Any]:
    """The names that an annotation may use: those of its module."""
    if is_dataclass(cls):  # its constructor inherits annotations of bases in other modules
        for base in cls.__mro__:
            if name in inspect.get_annotations(base):
                return vars(sys.modules[base.__module__])
    namespace: dict[str, Any] = getattr(inspect.unwrap(cls.__init__), "__globals__", {})  # type: ignore[misc]
    return namespace


def check_fields(settings: object, where: str) -> None:
    """Check the fields of a dataclass against their annotations; for its ``__post_init__``.

    Raises
    ------
    ConfigError
        If a value does not fit; the error names the value, its place and what would fit.
    """
    for name, parameter in parameters(type(settings)).items():
        place = Place.of(where, parameter)
        fitted(parameter.annotation, getattr(settings, name), place, _instance)


def _instance(cls: type, value: Any, place: Place) -> Any:
    """The value, which must already be an instance."""
    try:
        fits = isinstance(value, cls)
    except TypeError:  # a protocol that can only be checked by type checkers
        return value
    if not fits:
        raise mismatch(cls, value, place)
    return value


def fitted(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    """Return the value converted to the annotation ``wanted``: 1 to 1.0, a list to a tuple.

    Raises
    ------
    ConfigError
        If it does not fit.
    """
    wanted = getattr(wanted, "__value__", wanted)  # of `type X = ...`
    origin = get_origin(wanted) or wanted
    if origin in _RULES:
        return _RULES[origin](wanted, value, place, make)
    if wanted in _SCALARS:
        return _scalar(wanted, value, place)
    if origin in _MAPPINGS:
        return _mapping(wanted, value, place, make)
    if origin in _LISTS:
        return _list(wanted, value, place, make)
    if isinstance(origin, type) and origin is not object:
        return make(origin, value, place)
    return frozen(value)


def frozen(value: Any) -> Any:
    """Return lists as tuples, so that frozen dataclasses stay hashable."""
    return tuple(frozen(v) for v in value) if isinstance(value, list) else value


def mismatch(wanted: Any, value: Any, place: Place, fix: str = "") -> ConfigError:
    """Return the error of a value that does not fit an annotation."""
    what = f"{place.subject} must be {_phrase(wanted)}, not {value!r}."
    return ConfigError(f"In {place.where}, {what}", fix=fix or place.fix)


# type -> the accepted types of values, and its name in errors
_SCALARS: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    types.NoneType: ((types.NoneType,), "none"),
}
_MAPPINGS = (dict, Mapping, MutableMapping)
# type -> what a list in a configuration becomes
_LISTS: dict[Any, type] = {
    tuple: tuple,
    Sequence: tuple,
    Iterable: tuple,
    Collection: tuple,
    list: list,
    set: set,
    frozenset: frozenset,
    Set: frozenset,
}


def _scalar(wanted: Any, value: Any, place: Place) -> Any:
    # bool is a subclass of int, and no setting is meant to be NaN.
    fits = isinstance(value, _SCALARS[wanted][0])
    if not fits or isinstance(value, bool) != (wanted is bool) or value != value:
        numeric = wanted in (int, float) and isinstance(value, str)
        raise mismatch(wanted, value, place, _number_as_text(value) if numeric else "")
    return float(value) if wanted is float else value


def _number_as_text(value: str) -> str:
    """The remedy for text in place of a number, if it reads as one."""
    try:
        float(value)
    except ValueError:
        return ""
    if value.isdecimal():
        return "Leave out the quotes."
    return "Numbers like 1e-3 are text in YAML: write 1.0e-3."


def _annotated(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    inner, *notes = get_args(wanted)
    value = fitted(inner, value, place, make)
    for note in notes:
        if isinstance(note, Range) and value is not None and value not in note:
            raise ConfigError(
                f"In {place.where}, {place.subject} must be {note}, not {value!r}.", fix=place.fix
            )
    return value


def _union(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    errors = []
    for member in get_args(wanted):
        try:
            return fitted(member, value, place, make)
        except ConfigError as error:
            # That a mapping is no number says nothing about what is wrong in it.
            if member is not types.NoneType and not (
                member in _SCALARS and isinstance(value, Mapping)
            ):
                errors.append(error)
    # A single error names the wrong part of the value most precisely.
    raise errors[0] if len(errors) == 1 else mismatch(wanted, value, place)


def _literal(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    choices = get_args(wanted)
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        texts = [choice for choice in choices if isinstance(choice, str)]
        raise mismatch(wanted, value, place, did_you_mean(str(value), texts) if texts else "")
    return value


def _mapping(wanted: Any, value: Any, place: Place, make: Make) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise mismatch(wanted, value, place)
    keys, values = get_args(wanted) or (Any, Any)
    result = {}
    for key, entry in value.items():
        key = fitted(keys, key, place.inside("a key"), make)
        # Untyped entries stay as they are, lists included, so that `describe` returns them.
        inside = place.inside(f"'{key}'")
        result[key] = entry if values is Any else fitted(values, entry, inside, make)
    return result


def _list(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    entries = get_args(wanted) or (Any, ...)
    right = isinstance(value, list | tuple | set | frozenset)
    if right and not _counted(wanted):
        entries = entries[:1] * len(value)
    if not right or len(value) != len(entries):
        raise mismatch(wanted, value, place)
    return _LISTS[get_origin(wanted) or wanted](
        fitted(entry, part, place.inside(f"entry {k}"), make)
        for k, (entry, part) in enumerate(zip(entries, value, strict=True), start=1)
    )


def _counted(wanted: Any) -> bool:
    """Whether the annotation of a list fixes its length, as tuple[float, float] does."""
    return get_origin(wanted) is tuple and ... not in get_args(wanted)


def _anything(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    return frozen(value)


_RULES: dict[Any, Callable[[Any, Any, Place, Make], Any]] = {
    Any: _anything,
    Annotated: _annotated,
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
}


def _phrase(wanted: Any) -> str:
    """The values that fit an annotation, in words."""
    origin, inner = get_origin(wanted) or wanted, get_args(wanted)
    if origin in _SCALARS:
        return _SCALARS[origin][1]
    if origin is Annotated:
        return " ".join([_phrase(inner[0]), *(str(n) for n in inner[1:] if isinstance(n, Range))])
    if origin is Literal:
        return " or ".join(repr(one) for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_phrase(one) for one in inner)
    if origin in _MAPPINGS:
        return "a mapping"
    if origin in _LISTS:
        return f"a list of {len(inner)}" if _counted(wanted) else "a list"
    name = getattr(origin, "__name__", str(origin))
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
