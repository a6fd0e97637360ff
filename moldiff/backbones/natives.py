"""What is native: bands of the figures of backbones in which those of known proteins lie.

*Native-like* is a backbone all of whose figures are in the bands of nine in ten natives: long
contacts, size, handedness, share of helices and strands, clashes, joined bonds, and the hesitation
of the sequence model.  Of natives themselves clearly fewer than nine in ten are, since each figure
leaves some out.  It does not say that a sequence folds to the backbone.

``natives.json`` is measured by ``scripts/fit_natives.py`` on windows of training domains that are
as compact as globular chains of their length: domains that are wider, or parts of larger ones, are
natives too, but not what is aimed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from moldiff.backbones.quality import Quality
from moldiff.domain.chains import LONGEST, SHORTEST

__all__ = ["FIGURES", "Band", "figures_of", "natives", "unlike"]

FIGURES = ("contacts", "size", "left", "regular", "clashes", "joined", "hesitation")
"""The figures that make a backbone native-like or not."""

_FILE = "natives.json"


class Band(NamedTuple):
    """The mean of a figure of natives, and the band in which nine in ten of them lie."""

    low: float
    mean: float
    high: float


def figures_of(quality: Quality, hesitation: float) -> dict[str, float]:
    """Return the `FIGURES` of a backbone; ``hesitation`` is in nats."""
    values = {name: float(getattr(quality, name)) for name in FIGURES[:-1]}
    return values | {"hesitation": hesitation}


@cache
def natives() -> Mapping[str, Band]:
    """Return the band of each of the `FIGURES`."""
    text = (resources.files(__package__) / _FILE).read_text(encoding="utf-8")
    return {name: Band(*band) for name, band in json.loads(text)["bands"].items()}


def unlike(figures: Mapping[str, float], residues: int) -> tuple[str, ...] | None:
    """Return which figures of a backbone lie outside of the natives'; () if it is native-like.

    None for a number of ``residues`` that the bands are not for.
    """
    if not SHORTEST <= residues <= LONGEST:
        return None
    return tuple(
        name for name, (low, _, high) in natives().items() if not low <= figures[name] <= high
    )
