"""RoMa (rotation mappings), imported without loading torch's compiler.

RoMa excludes two of its functions from compilation.  Doing so at import takes a second, which is
most of the start-up time of docking; here it happens when one of the two is called.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

__all__ = ["roma"]


def _disable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do what ``torch._dynamo.disable`` does, at the first call."""

    def late(*arguments: Any) -> Any:
        import torch._dynamo

        return torch._dynamo.disable(function)(*arguments)

    return late


def _load() -> Any:
    # If the compiler or RoMa is already loaded, there is nothing to save.
    if "roma" in sys.modules or "torch._dynamo" in sys.modules:
        return importlib.import_module("roma")
    torch._dynamo = SimpleNamespace(disable=_disable)  # type: ignore[assignment]
    try:
        return importlib.import_module("roma")
    finally:
        del torch._dynamo


roma = _load()
