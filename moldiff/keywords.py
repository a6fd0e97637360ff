"""Signatures of functions that hand keywords on, as ``help()`` and notebooks show them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["keywords_of"]

F = TypeVar("F", bound=Callable[..., Any])


def keywords_of(source: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that shows the keywords of ``source`` in place of ``**options``.

    Those that the function has itself are its own.
    """

    def shown(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        named = {p.name for p in own}
        handed = [
            p.replace(kind=p.KEYWORD_ONLY)
            for p in inspect.signature(source).parameters.values()
            if p.name not in named and p.kind is not p.VAR_KEYWORD
        ]
        signature = signature.replace(parameters=[*own, *handed])
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return shown
