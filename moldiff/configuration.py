"""Plain values, from a configuration or a caller, against the annotations of a class.

The annotation of a parameter is all that is said of it: ``steps: Annotated[int, Range(1)]`` takes
3 and refuses 0, 2.5, true and text.  Understood are bool, int, float, str, None, ``X | None`` and
other unions, ``Literal``, ``Annotated`` with a :class:`Range`, lists, tuples, sets and mappings of
these, and classes.  What a class is made from, the caller knows: `moldiff.registry` builds
registered parts and groups of settings; :func:`check_fields` takes instances and makes nothing.

An annotation that cannot be resolved (a name imported for type checkers alone, or local to a
function) or means something else is not checked; those of the other parameters are.
"""

from __future__ import annotations

import inspect
import math
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence, Set
from dataclasses import dataclass, is_dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from moldiff.errors import ConfigError, did_you_mean

__all__ = ["Make", "Place", "Range", "check_fields", "fitted", "frozen", "mismatch", "parameters"]


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


@dataclass(frozen=True)
class Place:
    """Where a value stands: what an error says of it.

    Attributes
    ----------
    where:
        What is configured: "the stepper 'ancestral'", "my.yaml".
    key:
        The parameter.
    subject:
        The parameter, or the part of it that is looked at: "entry 2 of 'betas'".
    fix:
        What is said to be done about a wrong value.
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
"""From a class, a value for it and its place to the instance, or to ``ConfigError``."""


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class by name, with the annotations as types.

    What is not annotated, or cannot be resolved, is ``Any``; ``*args`` and ``**kwargs`` are left
    out, since a configuration cannot name them.
    """
    found = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            found[name] = parameter.replace(annotation=_resolved(cls, parameter))
    return found


def _resolved(cls: type, parameter: inspect.Parameter) -> Any:
    if parameter.annotation is parameter.empty:
        return Any
    alone = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        hints = get_type_hints(alone, _namespace(cls, parameter.name), include_extras=True)
    except Exception:  # whatever evaluating somebody's annotation may raise
        return Any
    return hints[parameter.name]


def _namespace(cls: type, name: str) -> dict[str, Any]:
    """The names an annotation may use: those of the module where it was written."""
    if is_dataclass(cls):  # whose constructor takes over the annotations of other modules' bases
        for base in cls.__mro__:
            if name in inspect.get_annotations(base):
                return vars(sys.modules[base.__module__])
    made: dict[str, Any] = getattr(inspect.unwrap(cls.__init__), "__globals__", {})  # type: ignore[misc]
    return made


def check_fields(settings: object, where: str) -> None:
    """Compare the fields of a dataclass with their annotations; for its ``__post_init__``.

    Raises
    ------
    ConfigError
        If a value does not fit: what it is, where, and what would fit.
    """
    for name, parameter in parameters(type(settings)).items():
        place = Place.of(where, parameter)
        fitted(parameter.annotation, getattr(settings, name), place, _given)


def _given(cls: type, value: Any, place: Place) -> Any:
    """A value that has to be an instance already."""
    try:
        fits = isinstance(value, cls)
    except TypeError:  # a protocol that can only be checked by type checkers
        return value
    if not fits:
        raise mismatch(cls, value, place)
    return value


def fitted(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    """Return the value as the annotation ``wanted`` says: 1 as 1.0, a list as a tuple.

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


# type -> the types of the values it takes, and its name in errors
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
    """What to do about text where a number is wanted, if it reads as one."""
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
            if member is not types.NoneType:
                errors.append(error)
    # The only error knows best which part of the value is wrong.
    raise errors[0] if len(errors) == 1 else mismatch(wanted, value, place)


def _literal(wanted: Any, value: Any, place: Place, make: Make) -> Any:
    known = get_args(wanted)
    if not any(value == one and type(value) is type(one) for one in known):
        texts = [one for one in known if isinstance(one, str)]
        raise mismatch(wanted, value, place, did_you_mean(str(value), texts) if texts else "")
    return value


def _mapping(wanted: Any, value: Any, place: Place, make: Make) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise mismatch(wanted, value, place)
    keys, values = get_args(wanted) or (Any, Any)
    made = {}
    for key, entry in value.items():
        key = fitted(keys, key, place.inside("a key"), make)
        # Anything stays as it is, lists included: describing it gives the same plain values.
        inside = place.inside(f"'{key}'")
        made[key] = entry if values is Any else fitted(values, entry, inside, make)
    return made


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
    """Whether the annotation of a list says how many entries it has, as tuple[float, float]."""
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
    """What fits an annotation, in words."""
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
