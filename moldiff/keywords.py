"""Signatures of functions that hand keywords on, as ``help()`` and notebooks show them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["keywords_of"]

F = TypeVar("F", bound=Callable[..., Any])

# A section of a docstring, and an entry in it: "seed, size:" with an indented text below.
_SECTION = re.compile(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=\n\n\w[^\n]*\n---|\Z)", re.M | re.S)
_ENTRY = re.compile(r"^(\w[\w, ]*):\n((?:[ \t]+[^\n]*(?:\n|\Z)|\n)+)", re.M)
_RANGED = re.compile(r"Annotated\[(.+?), .+\]")  # the type of a value that has a range


def keywords_of(source: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that shows the keywords of ``source`` in place of ``**options``.

    The signature has them with types and defaults, and a docstring with parameters what
    ``source``'s docstring says of them.  Those that the function has itself are its own.
    """

    def shown(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        named = {p.name for p in own}
        handed = [
            p.replace(kind=p.KEYWORD_ONLY, annotation=_plain(p.annotation))
            for p in inspect.signature(source).parameters.values()
            if p.name not in named and (p.kind is p.KEYWORD_ONLY or inspect.isclass(source))
        ]
        signature = signature.replace(parameters=[*own, *handed])
        function.__signature__ = signature  # type: ignore[attr-defined]
        function.__doc__ = _described(function, source, {p.name for p in handed})
        return function

    return shown


def _plain(annotation: Any) -> Any:
    """An annotation without the range of its values."""
    return _RANGED.sub(r"\1", annotation) if isinstance(annotation, str) else annotation


def _described(function: Callable[..., Any], source: Callable[..., Any], names: set[str]) -> Any:
    """The docstring with the entries of keywords behind its own; as it is without a list."""
    text = function.__doc__ and inspect.cleandoc(function.__doc__)
    section = _SECTION.search(text or "")
    if not text or section is None:  # python -OO leaves none
        return function.__doc__
    entries = "\n".join(_entries(inspect.getdoc(source) or "", names))
    place = section.end(1)
    return f"{text[:place].rstrip()}\n{entries}{text[place:]}"


def _entries(text: str, names: set[str]) -> Iterator[str]:
    section = _SECTION.search(text)
    for label, body in _ENTRY.findall(section[1] if section else ""):
        kept = [name for name in label.split(", ") if name in names]
        if kept:
            yield f"{', '.join(kept)}:\n{body.rstrip()}"
