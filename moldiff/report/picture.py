"""Pictures: whether they can be drawn, and an empty one to draw on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moldiff.errors import InputError

__all__ = ["available", "canvas", "check"]

SUFFIXES = (".png", ".svg", ".pdf")


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def check(path: Path) -> None:
    """Refuse a picture that could not be drawn, before anything is measured.

    Raises
    ------
    InputError
        If matplotlib is not installed or the suffix is unknown.
    """
    if not available():
        raise InputError(
            "Drawing a picture needs matplotlib, which is not installed.",
            fix="Run: pip install matplotlib",
        )
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"The picture '{path}' has the unknown suffix '{path.suffix}'.",
            fix=f"Known: {', '.join(SUFFIXES)}.",
        )


def canvas(width: float, height: float) -> Any:
    """Return an empty figure, inches, that needs no display; the needs of `check` must be met."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
