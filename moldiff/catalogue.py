"""The catalogue of registered parts: their names, modules and papers.

Classes of the package are imported when a name of their kind is looked up; those of installed
distributions (`moldiff.plugins`) when names are listed or a name is not found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TypeVar

from moldiff.configuration import Place
from moldiff.errors import ConfigError
from moldiff.plugins import installed_parts, remedy, written_by_hand

__all__ = [
    "cited",
    "context_of",
    "fitting",
    "has_name",
    "is_a",
    "is_kind",
    "kind_of",
    "kinds",
    "known_as",
    "name_of",
    "names",
    "part",
    "register",
    "registered",
    "supplied",
    "word",
]

T = TypeVar("T")
_REGISTRY: dict[str, dict[str, type]] = {}
_NAMES: dict[type, tuple[str, str]] = {}
_CITES: dict[type, Mapping[str, str]] = {}
_CONTEXT: dict[type, frozenset[str]] = {}
# Kind -> packages or modules of moldiff whose classes it is; imported when a name is looked for.
_HOMES: Mapping[str, tuple[str, ...]] = {
    "codec": ("nn",),
    "coupling": ("diffusion.coupling",),
    "domain": ("domain",),
    "grid": ("diffusion.sampler",),
    "guidance": ("diffusion.guidance",),
    "interaction": ("nn",),
    "logger": ("train.loggers",),
    "network": ("nn",),
    "objective": ("diffusion.objective", "train.workloads"),
    "precondition": ("diffusion.denoiser",),
    "process": ("diffusion.process",),
    "schedule": ("diffusion.schedule",),
    "space": ("diffusion.space",),
    "stepper": ("diffusion.sampler",),
    "task": ("train.workloads",),
    "times": ("diffusion.objective",),
}
# Kind -> its word in messages, if it differs; for an interaction, the key of configurations.
_WORDS = {"interaction": "network", "times": "distribution of times", "grid": "grid of times"}


def register(
    kind: str,
    name: str,
    *,
    cites: Mapping[str, str] | None = None,
    context: Iterable[str] = (),
) -> Callable[[type[T]], type[T]]:
    """Return a class decorator that files the class under ``kind`` and ``name``.

    ``cites`` maps keys of `moldiff.references` to the equation or section.  ``context`` names the
    parameters that the caller of `build` supplies, and no configuration sets.  A class defined
    again, by reloading its module or by rerunning a cell, a script or a file of ``--import``,
    replaces the older one.

    Raises
    ------
    ValueError
        From the decorator, if another class has the name.
    """

    def decorate(cls: type[T]) -> type[T]:
        older = _REGISTRY.setdefault(kind, {}).get(name)
        if older is not None and not _redefines(older, cls):
            raise ValueError(
                f"there is a {kind} called '{name}' already, "
                f"{older.__module__}.{older.__qualname__}"
            )
        _REGISTRY[kind][name] = cls
        _NAMES[cls] = (kind, name)
        _CITES[cls] = MappingProxyType(dict(cites or {}))
        _CONTEXT[cls] = frozenset(context)
        return cls

    return decorate


def _redefines(older: type, newer: type) -> bool:
    """Whether a class is a redefinition of another."""
    same = older.__qualname__ == newer.__qualname__ or written_by_hand(newer.__module__)
    return same and older.__module__ == newer.__module__


def kinds() -> tuple[str, ...]:
    """Return the registered kinds, sorted."""
    for kind in _HOMES:
        _import_parts(kind)
    installed_parts()
    return tuple(sorted(_REGISTRY))


def is_kind(word: str) -> bool:
    """Return whether there are parts of this kind, without importing anything."""
    return word in _REGISTRY or word in _HOMES


def names(kind: str) -> tuple[str, ...]:
    """Return the names registered under ``kind``, sorted."""
    _import_parts(kind)
    installed_parts()
    return tuple(sorted(_REGISTRY.get(kind, {})))


def _import_parts(kind: str, name: str | None = None) -> None:
    """Import the package's own classes of a kind, until ``name`` is among them.

    A new file in the folder of its kind needs no entry anywhere; that of a part with its name is
    the first to be tried.
    """
    for home in _HOMES.get(kind, ()):
        for module in _modules(f"moldiff.{home}", name):
            if name is not None and name in _REGISTRY.get(kind, {}):
                return
            import_module(module)


def _modules(home: str, name: str | None) -> Iterator[str]:
    """A module, or a package and the modules in it: that called ``name`` first."""
    yield home
    within = [part.name for part in iter_modules(getattr(sys.modules[home], "__path__", ()))]
    yield from (f"{home}.{part}" for part in sorted(within, key=lambda part: (part != name, part)))


def registered(kind: str, name: str) -> type:
    """Return the class called ``name``.

    Raises
    ------
    ConfigError
        If there is no such name; the error suggests the nearest one.
    """
    return part(kind, name)


def word(kind: str) -> str:
    """Return the word for a kind in messages."""
    return _WORDS.get(kind, kind).replace("_", " ")


def context_of(cls: type) -> frozenset[str]:
    """Return the parameters of a class that no configuration sets; none if it is unregistered."""
    return _CONTEXT.get(cls, frozenset())


def name_of(cls: type) -> str:
    """Return the name of a registered class."""
    return _NAMES[cls][1]


def known_as(cls: type) -> str:
    """Return what a class is in messages: "The stepper 'mine'", or of which kind if it has no name.

    A class without a name is called after the base class that it has in this package.
    """
    if cls in _NAMES:
        kind, name = _NAMES[cls]
        return f"The {word(kind)} '{name}'"
    bases = (base.__name__ for base in cls.__mro__ if base.__module__.startswith("moldiff."))
    return f"The {next(bases, 'part')} of your own"


def has_name(cls: type) -> bool:
    """Return whether a class is registered, so that :func:`describe` accepts its instances."""
    return cls in _NAMES


def cited(kind: str, name: str) -> Mapping[str, str]:
    """Return the papers behind a class: reference key -> equation, section or subject.

    Raises
    ------
    ConfigError
        If there is no such name.
    """
    return _CITES[registered(kind, name)]


def supplied(kind: str, name: str) -> frozenset[str]:
    """Return the parameters of a class that the caller supplies, and no configuration sets.

    Raises
    ------
    ConfigError
        If there is no such name.
    """
    return _CONTEXT[registered(kind, name)]


def part(kind: str, name: str, wanted: type = object, place: Place | None = None) -> type:
    """Return the class called ``name``, which must be a ``wanted`` (``ConfigError`` if not)."""
    _import_parts(kind, name)
    if name not in _REGISTRY.get(kind, {}):
        installed_parts()
    candidates = fitting(kind, wanted)
    if name in candidates:
        return candidates[name]
    if place is not None and name in _REGISTRY.get(kind, {}):
        raise ConfigError(
            f"In {place.where}, {place.subject} cannot be the {word(kind)} '{name}'.",
            fix=f"Names that fit: {', '.join(candidates) or 'none'}.",
        )
    raise ConfigError(f"There is no {word(kind)} called '{name}'.", fix=remedy(name, candidates))


def fitting(kind: str, wanted: type) -> dict[str, type]:
    """Return the classes of a kind that are a ``wanted``, by name, sorted."""
    return {n: cls for n, cls in sorted(_REGISTRY.get(kind, {}).items()) if is_a(cls, wanted)}


def is_a(cls: type, wanted: type) -> bool:
    """Return whether a class is a subclass of ``wanted``; True if that cannot be determined."""
    try:
        return issubclass(cls, wanted)
    except TypeError:  # a protocol that can only be checked by type checkers
        return True


def kind_of(wanted: type, key: str) -> str | None:
    """Return the kind of parts that a class stands for: the parameter's name, or the only match."""
    matches = {kind for kind in _REGISTRY if fitting(kind, wanted)}
    if key in matches:
        return key
    return matches.pop() if len(matches) == 1 else None
