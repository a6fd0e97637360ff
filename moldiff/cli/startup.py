"""Fast start and exit of the process of a short command.

``import torch`` runs a thousand modules, half of them for its compiler, exporter and
quantisation.  Here the largest of those are deferred: they run at first use (lazy imports, as in
PEP 810), so code that uses one works as usual.  Only tested versions of torch are treated this
way; others are imported normally.  In addition, fewer garbage collections run during loading, and
none at exit.
"""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

__all__ = ["LATER", "TRIED", "load_torch", "process"]

TRIED = ("2.13",)
"""Versions of torch tested with the modules below deferred."""

LATER = frozenset(
    (
        # Shapes and decompositions of operations, for the compiler and the device "meta".
        "torch._meta_registrations",
        "torch.distributed._meta_registrations",
        "torch.export",
        "torchgen.model",
        # GPU operations written in Python.
        "torch._native",
        # Quantisation.
        "torch.ao",
        "torch.nn.intrinsic",
        "torch.nn.qat",
        "torch.nn.quantizable",
        "torch.nn.quantized",
        "torch.quantization",
        # Used only by code that imports them itself.
        "torch.distributions",
        "torch.masked",
        "torch.quasirandom",
        "torch.utils.data",
        # A wrapper for Fortran, imported by ``from numpy import *`` in SciPy.
        "numpy.f2py",
    )
)
"""Modules that run at first use instead of at import."""

# Threshold of new container objects for a garbage collection: Python's 700 causes dozens of
# collections over everything that torch loads.  100 000 objects take about 10 MB.
_YOUNG = 100_000


def process(run: Callable[[], int], *, sweeping: bool = False) -> NoReturn:
    """Run, and end the process with the returned exit status, without Python's teardown.

    Clearing the modules of torch and RDKit one by one takes longer than a small command; the
    operating system frees the memory at once.  ``sweeping`` leaves garbage collection to Python,
    for long work.
    """
    if not sweeping:
        gc.set_threshold(_YOUNG, 20, 100)
    atexit.register(gc.freeze)  # no final collection if something else ends the process
    status = run()
    if threading.active_count() > 1:  # let Python wait for the other threads
        sys.exit(status)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader is gone, or the disk full
        status = status or 1
    os._exit(status)


def load_torch() -> None:
    """Import torch, unless imported already, with `LATER` deferred."""
    if "torch" in sys.modules or not _version().startswith(tuple(f"{v}." for v in TRIED)):
        return
    sys.meta_path.insert(0, _Finder)  # it stays, for SciPy, which is imported later
    sweeping = gc.isenabled()
    gc.disable()
    try:
        import torch
        from torch._opaque_base import OpaqueBaseMeta
    finally:
        if sweeping:
            gc.freeze()  # exempt the loaded modules from collections
            gc.enable()
    # A deferred module does this; torch needs it for random number generators.
    torch._C._set_generator_metaclass(OpaqueBaseMeta)
    _Finder.complete = True


def _version() -> str:
    """Return torch's version without importing it; empty if unknown."""
    spec = find_spec("torch")
    try:
        text = (Path(str(spec and spec.origin)).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    match = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    return match[1] if match else ""


class _Later(ModuleType):
    """A module that runs at the first lookup of a name in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":  # the import machinery's questions
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        _wake(self)
        return getattr(self, name)


_running = threading.RLock()


def _wake(module: ModuleType) -> None:
    """Run a deferred module; once torch is complete, run all of torch's, in order of import.

    They depend on one another, and any other order leads to circular imports.
    """
    with _running:
        modules = [module]
        if _Finder.complete and module.__name__.startswith("torch"):
            _Finder.complete = False  # nested imports run one module at a time
            modules = [m for name, m in sys.modules.items() if name.startswith("torch")]
        for other in modules:
            if isinstance(other, _Later):
                _run(other)


def _run(module: ModuleType) -> None:
    loader = module.__dict__.pop("_moldiff_loader")
    module.__class__ = ModuleType
    spec = module.__spec__
    assert spec is not None
    spec.loader = module.__loader__ = loader
    loader.exec_module(module)


class _Loader:
    """Creates a module without running it."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Later(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["_moldiff_loader"] = self.loader


class _Existing:
    """Returns an imported module unchanged."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__
        module.__spec__ = None  # or Python runs the module again

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _Finder:
    """Finds the modules of `LATER`, with a loader that defers running them."""

    complete = False  # whether ``import torch`` has finished

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent = sys.modules.get(name.rpartition(".")[0])
        if isinstance(parent, _Later):  # a package runs before its modules
            _wake(parent)
        elif cls.complete and name.startswith("torch."):
            # Parts of torch beyond its import, such as its compiler, expect all of it.
            _wake(sys.modules["torch"])
        if name in sys.modules:  # imported meanwhile
            return ModuleSpec(name, _Existing(sys.modules[name]))  # type: ignore[arg-type]
        if name not in LATER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec
