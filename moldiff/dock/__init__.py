"""Docking: where and how a ligand sits in a pocket.

A pose is a centre, a rotation and torsions on one of the ligand's conformers.  Proposals
(drawn by diffusion, or at random) are minimised and searched with a physical energy, ranked,
and checked; `moldiff.dock.dock` is the pipeline, `moldiff.dock.library` docks many ligands.

The package itself can be called, as the public name ``moldiff.dock``:

>>> result = moldiff.dock("receptor.pdb", "CCO", pocket_ligand="crystal.sdf")  # doctest: +SKIP

is `moldiff.tasks.docking.dock`; nothing heavy is imported before.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that is also a function: importing a submodule binds its name in ``moldiff``."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return import_module("moldiff.tasks.docking").dock(*args, **options)


sys.modules[__name__].__class__ = _Callable
