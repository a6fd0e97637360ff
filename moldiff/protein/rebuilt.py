"""Residues that are there but are to be built anew: gaps that a user chooses."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.absent import Absent, Gaps
from moldiff.protein.structure import Structure
from moldiff.protein.trace import Trace

__all__ = ["chosen_residues"]

_RANGE = re.compile(
    r"(?P<chain>[^:]*):(?P<first>-?\d+[A-Za-z]?)(?:\s*-\s*(?P<last>-?\d+[A-Za-z]?))?"
)


def chosen_residues(structure: Structure, trace: Trace, texts: Sequence[str]) -> Gaps:
    """Return residues that are there, ``A:45-56``, as if they were missing, to build them anew.

    Raises
    ------
    InputError
        A text names no run of residues that is bonded on both sides.
    """
    found = Gaps([], [], np.full(len(structure.residues), -1))
    for fragments in trace.fragments.values():
        last = None
        for fragment in fragments:
            jump = 1 if last is None else structure.residues[fragment[0]].number - last[1]
            start = 0 if last is None else last[0] + max(jump, 1)
            found.places[fragment] = start + np.arange(len(fragment))
            last = (start + len(fragment) - 1, structure.residues[fragment[-1]].number)
    for text in texts:
        found.absent.append(_chosen(structure, trace, text, found.places))
    taken = [i for one in found.absent for i in (*one.replaced, one.before, one.after)]
    if len(set(taken)) < len(taken):
        raise InputError(
            f"Some of {', '.join(texts)} overlap or touch.", fix="Give them as one range."
        )
    return found


def _chosen(structure: Structure, trace: Trace, text: str, places: npt.NDArray[np.int64]) -> Absent:
    fix = "Write chain:first-last, e.g. A:45-56, of protein residues that are there."
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"'{text}' is no range of residues.", fix=fix)
    ends = []
    for label in (match["first"], match["last"] or match["first"]):
        named = [
            i
            for fragment in trace.fragments.get(match["chain"], [])
            for i in fragment
            if f"{structure.residues[i].number}{structure.residues[i].insertion}" == label
        ]
        if not named:
            raise InputError(f"There is no residue {match['chain']}:{label} to rebuild.", fix=fix)
        ends.append(named[0])
    fragment = next(f for f in trace.fragments[match["chain"]] if ends[0] in f)
    if ends[1] not in fragment or ends[1] < ends[0]:
        raise InputError(
            f"The chain is broken between the ends of {text}.",
            fix="Fill the gap first, without --rebuild, then rebuild in the file that was written.",
        )
    first, last = fragment.index(ends[0]), fragment.index(ends[1])
    if first == 0 or last == len(fragment) - 1:
        raise InputError(
            f"{text} is at an end of its chain, which has nothing to be closed with.",
            fix="Leave at least one residue on both sides.",
        )
    chosen = fragment[first : last + 1]
    own = [structure.residues[i] for i in chosen]
    return Absent(
        match["chain"],
        fragment[first - 1],
        fragment[last + 1],
        tuple(residue.name for residue in own),
        tuple((residue.number, residue.insertion) for residue in own),
        int(places[chosen[0]]),
        tuple(chosen),
    )
