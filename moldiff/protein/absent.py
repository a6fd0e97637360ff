"""Missing residues: where the sequence of a chain says more than its coordinates.

Each run of bonded residues is placed as a whole in the sequence, so numbers and insertion codes
that jump are no gaps; where several places fit, the numbers decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from moldiff.protein.conformation import listed
from moldiff.protein.records import Missing
from moldiff.protein.sequence import ChainSequence, letter
from moldiff.protein.structure import Residue, Structure, in_chain
from moldiff.protein.trace import Trace

__all__ = ["NUCLEIC", "UNTOLD", "Absent", "Gaps", "Refused", "absent_residues"]

UNTOLD = "no sequence of this chain"
"""Why residues that may be missing are not built where nothing tells what they are."""
NUCLEIC = "a nucleic acid: only proteins are built"
"""Why those of a nucleic acid are not."""

_DIFFERENT = 0.1  # share of residues that may differ from the sequence: mutations
_DIFFERS = "residues that differ from the sequence, and stay as they are"
_UNLIKELY = 10.0  # of a residue that differs; numbers that do not agree cost 1

Label = tuple[int, str]


@dataclass(frozen=True)
class Absent:
    """Missing residues of a chain, between two that are there.

    Attributes
    ----------
    before, after:
        The residues of the structure between which they are missing.
    names, labels:
        Three-letter names of the missing ones; their numbers with insertion codes.
    place:
        The place of the first of them in the sequence of the chain, from 0.
    replaced:
        The residues of the structure that they take the place of.
    """

    chain: str
    before: int
    after: int
    names: tuple[str, ...]
    labels: tuple[Label, ...]
    place: int
    replaced: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def letters(self) -> str:
        """Their sequence, a letter each."""
        return "".join(map(letter, self.names))

    def __str__(self) -> str:
        return where(self.chain, self.labels[0], self.labels[-1])


@dataclass(frozen=True)
class Refused:
    """Residues that are not built: where, how many if that is known, and why.

    ``ends`` are the residues of the structure before and after them, if they are between two.
    """

    where: str
    residues: int | None
    reason: str
    ends: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Gaps:
    """The missing residues of a structure of r residues.

    Attributes
    ----------
    absent, refused:
        The gaps, and the chains, or places in them, where gaps cannot be known.
    places:
        (r,) places of the residues in the sequence of their chain; -1 where it is not known.
    notes:
        What is left out.
    differing:
        Which residues differ from the sequence of their chain.
    """

    absent: list[Absent]
    refused: list[Refused]
    places: npt.NDArray[np.int64]
    notes: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


def where(chain: str, first: Label, last: Label) -> str:
    """Return a range of residues as users write it: ``A:45-56``."""
    ends = [f"{number}{code}" for number, code in (first, last)]
    return in_chain(chain, "-".join(dict.fromkeys(ends)))


def absent_residues(
    structure: Structure,
    trace: Trace,
    sequences: Mapping[str, ChainSequence],
    missing: Sequence[Missing] = (),
) -> Gaps:
    """Find the gaps of all protein chains.

    Parameters
    ----------
    structure, trace:
        The residues, and their backbone.
    sequences:
        Of the chains, as far as known.
    missing:
        Residues that the file lists as missing, which says their numbers.
    """
    gaps = Gaps([], [], np.full(len(structure.residues), -1))
    tails: list[str] = []
    others: list[str] = []
    for chain, fragments in trace.fragments.items():
        sequence = sequences.get(chain)
        if sequence is None:
            gaps.refused.extend(_breaks(structure.residues, chain, fragments))
            continue
        starts = _placed(structure.residues, fragments, sequence)
        if isinstance(starts, str):
            gaps.refused.append(Refused(f"chain {chain or '(blank)'}", None, starts))
            continue
        for start, fragment in zip(starts, fragments, strict=True):
            gaps.places[fragment] = start + np.arange(len(fragment))
            others += _differing(structure.residues, fragment, sequence, start)
        for a, b in pairwise(fragments):
            ends = (int(gaps.places[a[-1]]) + 1, int(gaps.places[b[0]]))
            if ends[1] > ends[0]:
                gaps.absent.append(_absent(structure, a[-1], b[0], sequence, ends, missing))
            else:
                gaps.refused.extend(_unknown(structure.residues, chain, a, b))
        last = len(sequence.names) - starts[-1] - len(fragments[-1])
        if starts[0] or last:
            tails.append(f"{chain or '(blank)'} ({starts[0]} before, {last} behind)")
    for chain, sequence in sequences.items():
        if sequence.nucleic:
            gaps.refused.extend(_nucleic(structure.residues, chain, sequence))
    notes = (f"missing ends of chains are left out: {', '.join(tails)}",) if tails else ()
    differing = (f"{_DIFFERS}: {listed(others)}",) if others else ()
    return replace(gaps, notes=notes, differing=differing)


def _differing(
    residues: Sequence[Residue], fragment: list[int], sequence: ChainSequence, start: int
) -> Iterator[str]:
    """The residues of a fragment that are others than its sequence says, and what it says."""
    for i, name in zip(fragment, sequence.names[start:], strict=False):
        pair = {letter(residues[i].name), letter(name)}
        if len(pair) > 1 and "X" not in pair:
            yield f"{residues[i]} ({name})"


def _absent(
    structure: Structure,
    before: int,
    after: int,
    sequence: ChainSequence,
    ends: tuple[int, int],
    missing: Sequence[Missing],
) -> Absent:
    a, b = structure.residues[before], structure.residues[after]
    names = sequence.names[slice(*ends)]
    labels: Sequence[Label] | None = None
    if sequence.labels is not None:
        labels = sequence.labels[slice(*ends)]
    else:
        own = [m for m in missing if m.chain == a.chain]
        for k in range(len(own) - len(names) + 1):
            run = own[k : k + len(names)]
            if tuple(m.name for m in run) == names and _between(a, run, b):
                labels = [(m.number, m.insertion) for m in run]
    labels = labels or numbered(len(names), a, b)
    return Absent(a.chain, before, after, names, tuple(labels), ends[0])


def _between(a: Residue, run: Sequence[Missing], b: Residue) -> bool:
    return a.number <= run[0].number <= run[-1].number <= b.number


def numbered(count: int, before: Residue, after: Residue) -> list[Label]:
    """Return numbers for residues between two, with insertion codes where there are too few."""
    free = max(after.number - before.number - 1, 0)
    labels = [(before.number + 1 + k, "") for k in range(min(count, free))]
    # 52, 52A, 52B: codes follow those of the residue before.
    last, code = labels[-1] if labels else (before.number, before.insertion)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    start = letters.find(code.upper()) + 1 if code else 0
    codes = (letters[start:] + letters.lower())[: count - len(labels)]
    return labels + [(last, one) for one in codes]


def _placed(
    residues: Sequence[Residue], fragments: list[list[int]], sequence: ChainSequence
) -> list[int] | str:
    """Where in the sequence fragments begin, in order; or why they do not fit."""
    total = sum(map(len, fragments))
    if total > len(sequence.names):
        return f"its sequence has {len(sequence.names)} residues, {total} are there"
    costs = _costs(residues, fragments[0], sequence)
    origins: list[npt.NDArray[np.intp]] = []
    for a, b in pairwise(fragments):
        jump = residues[b[0]].number - residues[a[-1]].number
        costs, origin = _continued(costs, len(a), jump)
        costs = costs + _costs(residues, b, sequence)
        origins.append(origin)
    lowest = float(costs.min())
    same = total - int(lowest // _UNLIKELY) if np.isfinite(lowest) else 0
    if total - same > max(2.0, _DIFFERENT * total):
        return f"its sequence does not fit: only {same} of {total} residues agree"
    places = [int(costs.argmin())]
    for origin in reversed(origins):
        places.append(int(origin[places[-1]]))
    return places[::-1]


def _costs(
    residues: Sequence[Residue], fragment: list[int], sequence: ChainSequence
) -> npt.NDArray[np.float64]:
    """What it costs a fragment to begin at each place of the sequence."""
    whole = np.array(list(sequence.letters))
    own = np.array([letter(residues[i].name) for i in fragment])
    costs = np.full(len(whole), np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(whole, len(own))
    differs = ((windows != own) & (own != "X") & (windows != "X")).sum(1)
    costs[: len(windows)] = _UNLIKELY * differs
    if sequence.labels is not None:
        first = residues[fragment[0]]
        label = (first.number, first.insertion)
        costs += [float(one != label) for one in sequence.labels]
    return costs


def _continued(
    costs: npt.NDArray[np.float64], length: int, jump: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Go on from a fragment of some length to the next.

    Returns
    -------
    costs, origin:
        For each beginning of the next one, what all before it costs, and where the one before it
        then begins.  ``jump`` is that of the numbers between both.
    """
    starts = np.arange(len(costs))
    lowest = np.minimum.accumulate(costs)
    at = np.maximum.accumulate(np.where(costs == lowest, starts, 0))
    latest = starts - length
    least = np.where(latest >= 0, lowest[latest.clip(0)] + 1, np.inf)
    agreeing = (starts - (length - 1 + jump)).clip(-1)
    fine = (agreeing >= 0) & (agreeing <= latest)
    better = fine & (costs[agreeing] <= least)
    return np.where(better, costs[agreeing], least), np.where(better, agreeing, at[latest.clip(0)])


def _unknown(residues: Sequence[Residue], chain: str, a: list[int], b: list[int]) -> list[Refused]:
    """A break where numbers jump, though the sequence has nothing there."""
    if residues[b[0]].number <= residues[a[-1]].number + 1:
        return []
    why = "the sequence has no residues there, but the chain is broken"
    return _breaks(residues, chain, [a, b], why)


def _breaks(
    residues: Sequence[Residue],
    chain: str,
    fragments: list[list[int]],
    why: str = UNTOLD,
) -> list[Refused]:
    """The places where residues may be missing from a chain, and are not known by a sequence."""
    refused = []
    for a, b in pairwise(fragments):
        first, last = residues[a[-1]], residues[b[0]]
        count = last.number - first.number - 1
        if count > 0:
            ends = numbered(count, first, last)
            span = where(chain, ends[0], ends[-1])
        else:
            span = where(chain, (first.number, first.insertion), (last.number, last.insertion))
        known = count if count > 0 else None
        refused.append(Refused(span, known, why, (a[-1], b[0])))
    return refused


def _nucleic(residues: Sequence[Residue], chain: str, sequence: ChainSequence) -> list[Refused]:
    there = sum(r.chain == chain and r.kind == "nucleic" for r in residues)
    count = len(sequence.names) - there
    if not there or count <= 0:
        return []
    return [Refused(f"chain {chain or '(blank)'}", count, NUCLEIC)]
