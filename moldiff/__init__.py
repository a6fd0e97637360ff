"""moldiff: generate, dock, evaluate and view three-dimensional molecules.

The public names are looked up on first use (PEP 562), so that ``import moldiff``
loads neither torch nor RDKit:

>>> import moldiff
>>> molecules = moldiff.generate(32, seed=0)  # doctest: +SKIP

Training and viewing have packages of their own: ``moldiff.train.Trainer``,
``moldiff.view.write_html``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.completion.api import complete
    from moldiff.completion.result import Completion
    from moldiff.docking.api import dock
    from moldiff.docking.result import DockingResult
    from moldiff.filtering.api import filter
    from moldiff.generation.api import generate
    from moldiff.generation.request import Generated, Request
    from moldiff.metrics.evaluation import evaluate
    from moldiff.model import Model
    from moldiff.models import load

__all__ = [
    "Completion",
    "DockingResult",
    "Generated",
    "Model",
    "Request",
    "__version__",
    "complete",
    "dock",
    "evaluate",
    "filter",
    "generate",
    "load",
]

# public name -> the module that defines it
_HOME = {
    "Completion": "moldiff.completion.result",
    "DockingResult": "moldiff.docking.result",
    "Generated": "moldiff.generation.request",
    "Model": "moldiff.model",
    "Request": "moldiff.generation.request",
    "complete": "moldiff.completion.api",
    "dock": "moldiff.docking.api",
    "evaluate": "moldiff.metrics.evaluation",
    "filter": "moldiff.filtering.api",
    "generate": "moldiff.generation.api",
    "load": "moldiff.models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
