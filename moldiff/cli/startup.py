"""A short command in a process of its own: what starting and ending it may leave out.

``import torch`` runs a thousand modules, half of them for its compiler, its exporter and
quantisation.  Here the largest of those become modules that run at their first use (what PEP 810
is to bring to the language), so whoever does use one finds it as always.  This is for the versions
of torch it was tried with; any other is imported as it comes.  The rest is Python's: fewer sweeps
for garbage while much is loaded, and none through what is alive when the process ends.
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
"""Versions of torch whose import was tried with the modules below put off."""

LATER = frozenset(
    (
        # Shapes and other forms of operations, for the compiler: nothing here computes with "meta".
        "torch._meta_registrations",
        "torch.distributed._meta_registrations",
        "torch.export",
        "torchgen.model",
        # Operations for GPUs that are written in Python.
        "torch._native",
        # Quantisation.
        "torch.ao",
        "torch.nn.intrinsic",
        "torch.nn.qat",
        "torch.nn.quantizable",
        "torch.nn.quantized",
        "torch.quantization",
        # What nothing needs but its users.
        "torch.distributions",
        "torch.masked",
        "torch.quasirandom",
        "torch.utils.data",
        # A compiler of Fortran, woken by ``from numpy import *`` in SciPy.
        "numpy.f2py",
    )
)
"""Modules that run when something in them is used, not when they are imported."""

# Container objects more than at the last sweep that call for the next: Python's 700 mean dozens of
# sweeps through all that torch has loaded.  100 000 are some 10 MB.
_YOUNG = 100_000


def process(run: Callable[[], int], *, sweeping: bool = False) -> NoReturn:
    """Run, and end the process with the exit status returned, without taking it apart first.

    Clearing the modules of torch and RDKit one by one takes longer than a small command; the
    operating system takes the memory back at once.  ``sweeping`` leaves garbage to Python, for
    work that goes on for long.
    """
    if not sweeping:
        gc.set_threshold(_YOUNG, 20, 100)
    atexit.register(gc.freeze)  # where something else ends the process: no last sweep
    status = run()
    if threading.active_count() > 1:  # somebody's thread: Python waits for it, as always
        sys.exit(status)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader is gone, or the disk full
        status = status or 1
    os._exit(status)


def load_torch() -> None:
    """Import torch, if nobody has, with `LATER` put off."""
    if "torch" in sys.modules or not _version().startswith(tuple(f"{v}." for v in TRIED)):
        return
    sys.meta_path.insert(0, _Finder)  # where it stays: SciPy comes later
    sweeping = gc.isenabled()
    gc.disable()
    try:
        import torch
        from torch._opaque_base import OpaqueBaseMeta
    finally:
        if sweeping:
            gc.freeze()  # the modules just loaded stay: no need to look through them again
            gc.enable()
    # Done by one of the modules put off; without it there are no generators of random numbers.
    torch._C._set_generator_metaclass(OpaqueBaseMeta)
    _Finder.complete = True


def _version() -> str:
    """Torch's version without importing it; empty if it does not say."""
    spec = find_spec("torch")
    try:
        text = (Path(str(spec and spec.origin)).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    return found[1] if found else ""


class _Later(ModuleType):
    """A module that runs when a name is first looked up in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":  # the import machinery's questions
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        _wake(self)
        return getattr(self, name)


_running = threading.RLock()


def _wake(module: ModuleType) -> None:
    """Run a module; of torch, once all else of it is there, every one in the order they came in.

    They know each other, and go round in circles in any other order.
    """
    with _running:
        modules = [module]
        if _Finder.complete and module.__name__.startswith("torch"):
            _Finder.complete = False  # what they ask for on the way runs alone, as at first
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
    """Makes a module without running it."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Later(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["_moldiff_loader"] = self.loader


class _Made:
    """Gives a module that is there, as it is."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__
        module.__spec__ = None  # or Python runs the module again

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _Finder:
    """Finds the modules of `LATER` where they are, for running later."""

    complete = False  # whether torch has all that importing it imports

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent = sys.modules.get(name.rpartition(".")[0])
        if isinstance(parent, _Later):  # a package runs before its modules
            _wake(parent)
        elif cls.complete and name.startswith("torch."):
            # More of torch than everybody has, its compiler for one, expects all of it.
            _wake(sys.modules["torch"])
        if name in sys.modules:  # another has imported it
            return ModuleSpec(name, _Made(sys.modules[name]))  # type: ignore[arg-type]
        if name not in LATER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec
