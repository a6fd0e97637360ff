"""moldiff: generate, dock, evaluate and view three-dimensional molecules.

The public names are looked up on first use (PEP 562), so that ``import moldiff``
loads neither torch nor RDKit:

>>> import moldiff
>>> molecules = moldiff.generate(32, seed=0)  # doctest: +SKIP

What one gives the others take: ``moldiff.evaluate(molecules)``, ``moldiff.view(molecules)``,
``moldiff.dock(receptor, molecules)``, ``moldiff.write(molecules, path)``; so they do RDKit
molecules, SMILES and paths.  Designing, training and viewing have packages of their own:
``moldiff.design.grow``, ``moldiff.train.Trainer``, ``moldiff.view.write_html``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff import design, view
    from moldiff.backbones.api import backbone
    from moldiff.backbones.result import Backbones
    from moldiff.completion.api import complete
    from moldiff.completion.result import Completion
    from moldiff.docking.api import dock
    from moldiff.docking.preparation import Preparation, prepare
    from moldiff.docking.result import DockingResult
    from moldiff.docking.score import score
    from moldiff.filtering.api import filter
    from moldiff.generation.api import generate
    from moldiff.generation.request import Generated, Request
    from moldiff.generation.verify import verify
    from moldiff.io import Record, write
    from moldiff.metrics.comparison import compare
    from moldiff.metrics.evaluation import evaluate
    from moldiff.model import Model
    from moldiff.models import load
    from moldiff.results import Results
    from moldiff.sequences.api import sequence
    from moldiff.sequences.result import Designs

__all__ = [
    "Backbones",
    "Completion",
    "Designs",
    "DockingResult",
    "Generated",
    "Model",
    "Preparation",
    "Record",
    "Request",
    "Results",
    "__version__",
    "backbone",
    "compare",
    "complete",
    "design",
    "dock",
    "evaluate",
    "filter",
    "generate",
    "load",
    "prepare",
    "score",
    "sequence",
    "verify",
    "view",
    "write",
]

# public name -> the module that defines it
_HOME = {
    "Backbones": "moldiff.backbones.result",
    "Completion": "moldiff.completion.result",
    "Designs": "moldiff.sequences.result",
    "DockingResult": "moldiff.docking.result",
    "Generated": "moldiff.generation.request",
    "Model": "moldiff.model",
    "Preparation": "moldiff.docking.preparation",
    "Record": "moldiff.io",
    "Request": "moldiff.generation.request",
    "Results": "moldiff.results",
    "backbone": "moldiff.backbones.api",
    "compare": "moldiff.metrics.comparison",
    "complete": "moldiff.completion.api",
    "design": "moldiff.design",
    "dock": "moldiff.docking.api",
    "evaluate": "moldiff.metrics.evaluation",
    "filter": "moldiff.filtering.api",
    "generate": "moldiff.generation.api",
    "load": "moldiff.models",
    "prepare": "moldiff.docking.preparation",
    "score": "moldiff.docking.score",
    "sequence": "moldiff.sequences.api",
    "verify": "moldiff.generation.verify",
    "view": "moldiff.view",
    "write": "moldiff.io",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    home = import_module(_HOME[name])
    # The package moldiff.view is the verb as well: it can be called.
    value = home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
