"""``moldiff view``: molecules and their denoising as one self-contained HTML page.

The page holds everything it needs (data, drawings, style, code and 3Dmol.js) and asks
the network for nothing; its content security policy forbids it to.  One WebGL viewer
shows the selected molecule; the cards carry RDKit's 2D drawing or a 3D thumbnail painted
without WebGL, so thousands of molecules stay usable.

In Python this package is the verb, too: ``moldiff.view(molecules)`` calls `view`, whose parameters
``help(moldiff.view.view)`` tells.

3Dmol.js: Rego & Koes, Bioinformatics 31 (2015) 1322; vendored in ``vendor/`` with its licence.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

from moldiff.view.figures import Figures
from moldiff.view.render import DEFAULT_LIMIT, Verdicts, render_html, write_html
from moldiff.view.trajectory import Frame, read_trajectories, write_trajectories
from moldiff.view.verb import Page, view

__all__ = [
    "DEFAULT_LIMIT",
    "Figures",
    "Frame",
    "Page",
    "Verdicts",
    "read_trajectories",
    "render_html",
    "view",
    "write_html",
    "write_trajectories",
]


class _Verb(ModuleType):
    """This package, which can be called as the function `view`."""

    __signature__ = inspect.signature(view)

    def __call__(self, *arguments: Any, **options: Any) -> Page:
        return view(*arguments, **options)


sys.modules[__name__].__class__ = _Verb  # moldiff.view(...) and moldiff.view.write_html are names
