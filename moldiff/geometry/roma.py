"""RoMa (rotation mappings), without the compiler of torch that importing it would load.

RoMa keeps two of its functions out of compiled programs.  Saying so at import takes a second, which
is most of the start of a docking; here it is said when one of the two is called.
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
    """What ``torch._dynamo.disable`` does, from the first call on."""

    def late(*arguments: Any) -> Any:
        import torch._dynamo

        return torch._dynamo.disable(function)(*arguments)

    return late


def _load() -> Any:
    # Where the compiler is there already, or RoMa, there is nothing to save.
    if "roma" in sys.modules or "torch._dynamo" in sys.modules:
        return importlib.import_module("roma")
    torch._dynamo = SimpleNamespace(disable=_disable)  # type: ignore[assignment]
    try:
        return importlib.import_module("roma")
    finally:
        del torch._dynamo


roma = _load()
