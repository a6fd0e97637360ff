"""Where molecules come from and what judged them: tags of their records, versions, processor."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping

import numpy as np
from rdkit import rdBase

from moldiff.chem import xtb
from moldiff.report.machine import cpu_name, installed
from moldiff.version import __version__

__all__ = ["TAGS", "findings", "provenance", "versions"]

#: The tags `moldiff generate` writes that say how a molecule was made.
TAGS = ("model", "seed", "steps", "sampling", "request", "hydrogens")
#: What commands write besides, to draw a record again or to know its circumstances.
_CIRCUMSTANCES = frozenset(
    {
        *TAGS,
        *("place", "round", "precision", "digest"),  # generated
        *("receptor_sha256", "pocket", "settings", "proposals", "box_center", "box_size"),  # docked
        *("rescored_by", "scored_by", "moldiff_version", "versions"),
    }
)
_OURS = ("moldiff_version", "scored_by")  # in every record that a command has made
_AT_MOST = 5  # distinct values of one tag: enough to see that a file is a mixture


def provenance(tags: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the distinct values of each of `TAGS` that occurs, in order, the first five."""
    values_of: dict[str, dict[str, None]] = {name: {} for name in TAGS}
    for own in tags:
        for name, values in values_of.items():
            if name in own and len(values) < _AT_MOST:
                values[own[name]] = None
    return {name: tuple(values) for name, values in values_of.items() if values}


def findings(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that say something of the molecule, not of how our commands made it.

    A record of anybody else keeps them all: its ``model`` may be another thing.
    """
    if not any(name in tags for name in _OURS):
        return dict(tags)
    return {k: v for k, v in tags.items() if k.removeprefix("input_") not in _CIRCUMSTANCES}


def versions() -> dict[str, str | None]:
    """Return what the numbers may depend on: software versions and the processor."""
    return {
        "moldiff": __version__,
        "rdkit": rdBase.rdkitVersion,
        "posebusters": installed("posebusters"),
        "xtb": xtb.version(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "cpu": cpu_name(),
    }
