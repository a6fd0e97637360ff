"""Models and configurations that come with the package, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from moldiff.errors import InputError, did_you_mean

__all__ = [
    "DEFAULT",
    "SMALL",
    "bundled_configs",
    "bundled_models",
    "find_model",
    "usual_model",
]

DEFAULT = "druglike"
"""The default bundled model."""

SMALL = "qm9-skeleton"
"""The model of the QM9 benchmark, and the teacher of the family of methods compared there."""


def _bundled(folder: str, suffix: str) -> dict[str, Path]:
    directory = Path(str(files("moldiff") / folder))
    return {path.stem: path for path in sorted(directory.glob(f"*{suffix}"))}


def bundled_models() -> dict[str, Path]:
    """Return the model files that come with the package, by name."""
    return _bundled("weights", ".safetensors")


def bundled_configs() -> dict[str, Path]:
    """Return the training configurations that come with the package, by name."""
    return _bundled("configs", ".yaml")


def usual_model(formula: str | None = None) -> str:
    """Return the default bundled model for a request with or without a formula.

    A formula needs a model with explicit hydrogens; skeletons have none.
    """
    return DEFAULT if formula is None else "qm9"


def find_model(name_or_path: str | Path) -> Path:
    """Return the file of a bundled model, or the path itself if it is one.

    Models of docking are found too (``proposals``, ``distances``): runs may begin with their
    weights.

    Raises
    ------
    InputError
        If there is neither; the error lists the bundled names.
    """
    models = bundled_models()
    known = _bundled("weights/docking", ".safetensors") | models
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_file():
        return path
    names = did_you_mean(str(name_or_path), models) if models else "None is bundled here."
    raise InputError(
        f"There is no model file '{name_or_path}' and no bundled model of that name.",
        fix=f"Check the path, or name a bundled model. {names}",
    )
