"""Parts from outside this package: from installed distributions, and the user's own.

A distribution offers parts through an entry point of the group ``moldiff.parts``, which names a
module that registers classes:

    [project.entry-points."moldiff.parts"]
    mine = "my_package.parts"

The user's own parts are in a file or a module that :func:`import_source` imports first.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from moldiff.errors import InputError, did_you_mean

__all__ = ["GROUP", "import_source", "installed_parts", "reason_of", "remedy", "written_by_hand"]

GROUP = "moldiff.parts"
_PREFIX = "moldiff_import_"  # before a file's name, so that it hides no other module


@functools.cache
def installed_parts() -> tuple[str, ...]:
    """Import the parts of all installed distributions once; return messages about failures.

    A distribution whose import fails causes a warning; the others are still imported.
    """
    return tuple(_failures())


def _failures() -> Iterator[str]:
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            message = f"The parts of {_distribution(point)} cannot be imported: {reason_of(error)}."
            warnings.warn(message, stacklevel=3)
            yield message


def _distribution(point: EntryPoint) -> str:
    name = "a distribution" if point.dist is None else f"the distribution '{point.dist.name}'"
    return f"{name} ({point.value})"


def remedy(name: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the nearest name, or how to import parts."""
    fix = did_you_mean(name, known)
    if "Did you mean" in fix:
        return fix
    hint = "A part of your own is imported first: --import FILE."
    return " ".join([fix, hint, *installed_parts()])


def import_source(source: str) -> None:
    """Import a Python file or a dotted module, for the classes that it registers.

    A file is run again each time; its directory can then be imported from, as in
    ``python FILE``.

    Raises
    ------
    InputError
        If there is no such file or module, or it raises an error.
    """
    path = Path(source)
    is_file = path.suffix == ".py" or path.is_file()
    if is_file and not path.is_file():
        raise InputError(f"There is no file '{source}' to import.", fix="Check the path.")
    try:
        if is_file:
            _run(path.resolve())
        else:
            import_module(source)
    except (Exception, SystemExit) as error:
        where = f"'{source}'{_line(error, path.resolve()) if is_file else ''}"
        raise InputError(
            f"Cannot import {where}: {reason_of(error)}.", fix=_remedy(error)
        ) from error


def written_by_hand(module: str) -> bool:
    """Whether a user edits and reruns the module: a script, a notebook, a file of --import."""
    return module == "__main__" or module.startswith(_PREFIX)


def _run(path: Path) -> None:
    name = _PREFIX + path.stem
    while getattr(sys.modules.get(name), "__file__", str(path)) != str(path):
        name += "_"  # another file of this name
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file (.py)")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)


def reason_of(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__


def _line(error: BaseException, path: Path) -> str:
    """The line of a file where an error arose, as text: ", line 3"."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", line {line}"


def _remedy(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"Install the package of '{error.name}', or give the path of a file (.py)."
    return "Correct the code, or leave it out."
