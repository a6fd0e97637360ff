"""What pages share: colours, light and dark, and the policy that keeps them off the network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

__all__ = ["asset", "colours", "policy"]


@cache
def asset(name: str) -> str:
    """Return the text of a file of ``moldiff/report/assets``."""
    return (files("moldiff.report") / "assets" / name).read_text(encoding="utf-8")


def colours() -> str:
    """Return the style that names the colours: ``--ink``, ``--page``, ``--c0`` to ``--c7``."""
    return asset("colours.css")


def policy(*scripts: str) -> str:
    """Return a content security policy that runs these scripts and nothing else, and no network."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
