"""``moldiff view``: molecules and their denoising as one self-contained HTML page.

The page holds everything it needs (data, drawings, style, code and 3Dmol.js) and asks
the network for nothing; its content security policy forbids it to.  One WebGL viewer
shows the selected molecule; the cards carry RDKit's 2D drawing or a 3D thumbnail painted
without WebGL, so thousands of molecules stay usable.

3Dmol.js: Rego & Koes, Bioinformatics 31 (2015) 1322; vendored in ``vendor/`` with its licence.
"""

from __future__ import annotations

from moldiff.view.render import DEFAULT_LIMIT, Verdicts, render_html, write_html
from moldiff.view.trajectory import Frame, read_trajectories, write_trajectories

__all__ = [
    "DEFAULT_LIMIT",
    "Frame",
    "Verdicts",
    "read_trajectories",
    "render_html",
    "write_html",
    "write_trajectories",
]
