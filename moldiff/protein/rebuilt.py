"""Residues that are there but are to be built anew: gaps that a user chooses."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.absent import Absent, Gaps
from moldiff.protein.selection import between
from moldiff.protein.structure import Residue, Structure, in_chain
from moldiff.protein.trace import Trace

__all__ = ["chosen_residues", "counted_places", "range_of"]

_RANGE = re.compile(
    r"(?:(?P<chain>[^:]*):)?(?P<first>-?\d+[A-Za-z]?)(?:\s*(?:-|\.\.)\s*(?P<last>-?\d+[A-Za-z]?))?"
)
_FIX = "Write chain:first-last, e.g. A:45-56, of protein residues that are there."


def range_of(text: str, residues: Sequence[Residue]) -> tuple[str, str, str] | None:
    """Read a range of residues, ``A:45-56`` or ``A:45``; None for anything else.

    Returns
    -------
    chain, first, last:
        As they were written.  Where no chain of the residues has a name, it may be left out.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or (match["chain"] is None and any(r.chain.strip() for r in residues)):
        return None
    return match["chain"] or "", match["first"], match["last"] or match["first"]


def chosen_residues(structure: Structure, trace: Trace, texts: Sequence[str], gaps: Gaps) -> Gaps:
    """Return residues to build anew, ``A:45-56``, as if they were missing.

    Parameters
    ----------
    structure, trace:
        What is there.
    texts:
        Ranges of residues by chain; the ends are there.
    gaps:
        What is missing: a range may have gaps within.

    Raises
    ------
    InputError
        A text names no residues that the chain goes on from on both sides.
    """
    places = np.where(gaps.places >= 0, gaps.places, counted_places(structure, trace))
    ranges = [_chosen(structure, trace, text, gaps, places) for text in texts]
    taken = [i for one in ranges for i in (*one.replaced, one.before, one.after)]
    if len(set(taken)) < len(taken):
        raise InputError(
            f"Some of {', '.join(texts)} overlap or touch.", fix="Give them as one range."
        )
    return Gaps(ranges, [], places, differing=gaps.differing)


def counted_places(structure: Structure, trace: Trace) -> npt.NDArray[np.int64]:
    """Return places (r,) in chains of unknown sequence, -1 for what is no protein.

    They are counted; where a chain is broken they jump as the numbers of its residues do.
    """
    places = np.full(len(structure.residues), -1)
    for fragments in trace.fragments.values():
        start = 0
        for k, fragment in enumerate(fragments):
            if k:
                last = fragments[k - 1][-1]
                jump = structure.residues[fragment[0]].number - structure.residues[last].number
                start = int(places[last]) + max(jump, 1)
            places[fragment] = start + np.arange(len(fragment))
    return places


def _chosen(
    structure: Structure,
    trace: Trace,
    text: str,
    gaps: Gaps,
    places: npt.NDArray[np.int64],
) -> Absent:
    asked = range_of(text, structure.residues)
    if asked is None:
        raise InputError(f"'{text}' is no range of residues.", fix=_FIX)
    name, first, last = asked
    fragments = trace.fragments.get(name, [])
    chain = [i for fragment in fragments for i in fragment]
    own = [structure.residues[i] for i in chain]
    span = between(own, first, last)
    if isinstance(span, str):
        raise InputError(f"There is no residue {in_chain(name, span)} to rebuild.", fix=_FIX)
    if not span:
        raise InputError(
            f"The range {text} ends before it begins in chain {name or '(blank)'}.",
            fix=f"Write {in_chain(name, f'{last}-{first}')}.",
        )
    inside = chain[span.start : span.stop]
    edges = {fragment[0] for fragment in fragments}, {fragment[-1] for fragment in fragments}
    if inside[0] in edges[0] or inside[-1] in edges[1]:
        raise InputError(
            f"{text} begins or ends where its chain does, or where the chain is broken.",
            fix="Leave at least one residue on both sides that it is bonded to.",
        )
    names, labels = [], []
    for i, j in zip(inside, [*inside[1:], None], strict=True):
        names.append(structure.residues[i].name)
        labels.append((structure.residues[i].number, structure.residues[i].insertion))
        missing = [one for one in gaps.absent if (one.before, one.after) == (i, j)]
        if i in edges[1] and not missing:
            raise InputError(
                f"The chain is broken within {text}; its sequence does not say what is missing.",
                fix="Give the sequence with --sequence, or choose a range on one side.",
            )
        for one in missing:
            names += one.names
            labels += one.labels
    return Absent(
        name,
        chain[span.start - 1],
        chain[span.stop],
        tuple(names),
        tuple(labels),
        int(places[inside[0]]),
        tuple(inside),
    )
