"""Design around a part that is kept exactly: grow, link, replace, decorate, and the proof.

>>> from moldiff import design
>>> design.grow("core.sdf", 100, at="7,12", add=5)  # doctest: +SKIP

A `Scaffold` is the part, with the points where new bonds may begin; a `Task` is what is done with
it; a `Part` gives it to generation (`moldiff.generation.given`); a `Proof` is computed from every
molecule.  `pocket` does it in a receptor
(`moldiff.design.pockets`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moldiff.design.api import decorate, grow, link, replace, stream
    from moldiff.design.pockets import pocket
    from moldiff.design.proof import Proof
    from moldiff.design.scaffold import Scaffold

__all__ = ["Proof", "Scaffold", "decorate", "grow", "link", "pocket", "replace", "stream"]

_HOME = {"pocket": "pockets", "Proof": "proof", "Scaffold": "scaffold"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'api')}"), name)
