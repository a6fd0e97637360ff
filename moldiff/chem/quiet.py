"""Keep RDKit's warnings off the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rdkit import rdBase

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence RDKit's log inside the ``with`` block; what it would say comes back as a reason."""
    with rdBase.BlockLogs():
        yield
