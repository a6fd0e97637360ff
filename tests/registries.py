"""The registry, as tests found it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moldiff import catalogue

__all__ = ["kept"]


@contextmanager
def kept() -> Iterator[None]:
    """Forget afterwards what is registered meanwhile, but for the package's own parts.

    Those are registered when their modules are first imported, perhaps by this very test, and
    modules are imported once: forgotten, they would be missing from all later tests.
    """
    before = {kind: dict(classes) for kind, classes in catalogue._REGISTRY.items()}
    yield
    after = {kind: dict(classes) for kind, classes in catalogue._REGISTRY.items()}
    catalogue._REGISTRY.clear()
    for kind, classes in after.items():
        own = {name: cls for name, cls in classes.items() if cls.__module__.startswith("moldiff.")}
        if remaining := own | before.get(kind, {}):
            catalogue._REGISTRY[kind] = remaining
