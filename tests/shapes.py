"""How annotations are executed in the tests, see `tests/conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
from beartype import BeartypeConf, beartype

__all__ = ["checked", "unchecked"]

#: An int is a float to mypy and to users, so it is one here.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


@contextmanager
def unchecked() -> Iterator[None]:
    """Leave annotations unchecked for a while, as they are for users.

    For what is wrong on purpose, and for loops over tiny tensors, where checking takes longest.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
