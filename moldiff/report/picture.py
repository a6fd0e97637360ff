"""Pictures: whether they can be drawn, and an empty figure."""

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
    """Raise an error, before any measurement, if a picture cannot be drawn.

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
    """Return an empty figure, sizes in inches, without a display; call `check` first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
