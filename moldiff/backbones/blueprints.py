"""Secondary structures as proteins have them: helices and strands in turn, drawn at random.

What is told a model of whole backbones is drawn from a semi-Markov chain.  Helices and strands
follow one another, each given the four before it, so that chains of helices, of strands and of both
are as frequent as in nature; their lengths, and those of what is between, are as measured.  A
chain is a window of a longer one, since domains do not begin with a helix.

``blueprints.json`` is counted by ``scripts/fit_natives.py`` on training domains.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from moldiff.protein.secondary import COIL, STATES, STRAND, letters
from moldiff.seeds import uniform

__all__ = ["counted", "drawn"]

_FILE = "blueprints.json"
_LONGEST = 40  # residues of the longest segment that is told apart
_ALPHABET = "HE"
_BEFORE = 4  # helices and strands that the next one depends on
_STUB = 4  # residues of the shortest helix or strand at an end
_MARGIN = 60  # residues drawn before a window begins

Counts = dict[str, list[int]]


def counted(structures: Iterable[npt.NDArray[np.int64]]) -> dict[str, Counts]:
    """Count what follows what, and how long it is, in the secondary structures of chains.

    ``next`` has by the helices and strands before how often a helix and a strand follow;
    ``lengths`` how often they have 0, 1, ... residues; ``between`` the same of what is between two.
    """
    follows: Counts = {}
    lengths: Counts = {}
    between: Counts = {}
    for states in structures:
        text = letters(states)
        segments = [(state, len(list(run))) for state, run in groupby(text)]
        if segments and segments[0][0] == "C":
            segments = segments[1:]
        history, gap = "", 0
        for state, length in segments:
            if state == "C":
                gap = length
                continue
            if history:
                _add(between, history[-1] + state, gap)
            if len(history) >= _BEFORE:
                row = follows.setdefault(history[-_BEFORE:], [0, 0])
                row[_ALPHABET.index(state)] += 1
            _add(lengths, state, length)
            history, gap = history + state, 0
    return {"next": follows, "lengths": lengths, "between": between}


def _add(counts: Counts, key: str, length: int) -> None:
    counts.setdefault(key, [0] * (_LONGEST + 1))[min(length, _LONGEST)] += 1


@cache
def _measured() -> Mapping[str, Any]:
    text = (resources.files(__package__) / _FILE).read_text(encoding="utf-8")
    blueprints: Mapping[str, Any] = json.loads(text)
    return blueprints


def drawn(residues: int, *, rng: torch.Generator) -> npt.NDArray[np.int64]:
    """Draw the secondary structure (n,) of a chain (`moldiff.protein.secondary.STATES`)."""
    while True:
        states = _window(residues, rng)
        strands = int((np.diff(states == STRAND, prepend=False) & (states == STRAND)).sum())
        if strands != 1:  # it would have no partner
            return states


def _window(residues: int, rng: torch.Generator) -> npt.NDArray[np.int64]:
    """A window of a longer chain, whose ends are neither, as those of any chain are."""
    table = _measured()
    follows = table["next"]
    history = list(follows)[_choice([sum(row) for row in follows.values()], rng)]
    segments: list[int] = []
    while len(segments) < residues + _MARGIN:
        following = _ALPHABET[_choice(follows[history[-_BEFORE:]], rng)]
        gap = _choice(table["between"][history[-1] + following], rng)
        length = _choice(table["lengths"][following], rng)
        segments += [COIL] * gap + [STATES.index(following)] * length
        history += following
    states = np.array(segments[_MARGIN : _MARGIN + residues], dtype=np.int64)
    for ordered in (states, states[::-1]):  # a view: what is cut to a stub is none
        stub = int(np.argmax(ordered != ordered[0])) if (ordered != ordered[0]).any() else 0
        ordered[: max(1, stub if stub < _STUB else 0)] = COIL
    return states


def _choice(counts: list[int], rng: torch.Generator) -> int:
    """An index, as often as it was counted."""
    ends = np.cumsum(counts)
    return int(np.searchsorted(ends, float(uniform((), rng=rng)) * ends[-1], side="right"))
