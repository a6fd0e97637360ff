"""Motifs: residues of a structure that stay where they are while a chain is drawn around them.

What is drawn is said in the notation of RFdiffusion (Watson et al., Nature 620 (2023) 1089):
``10-20/A12-30/15-25`` is 10 to 20 new residues, residues 12 to 30 of chain A, and 15 to 25 new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from moldiff.errors import InputError, did_you_mean
from moldiff.protein.backbone import UNKNOWN
from moldiff.protein.elements import SYMBOLS
from moldiff.protein.read import read_contents
from moldiff.protein.residues import BACKBONE
from moldiff.protein.secondary import COIL, secondary
from moldiff.protein.selection import place
from moldiff.protein.structure import Residue, Structure
from moldiff.protein.trace import Trace, trace
from moldiff.protein.write import SideAtom
from moldiff.seeds import integer

__all__ = ["Motif", "motif_of", "spread"]

Span = tuple[int, int]
"""The least and the largest number of new residues."""

_NEW = re.compile(r"(?P<low>\d+)(?:-(?P<high>\d+))?")
_GIVEN = re.compile(
    r"(?P<chain>[^:]*:|[A-Za-z])(?P<first>-?\d+[A-Za-z]?)(?:-(?P<last>-?\d+[A-Za-z]?))?"
)
_STEP = 3.4  # Å that a residue spans at most: fully stretched 3.8, which hardly any is
_TRIES = 1000
_WRITE = (
    "Write new residues and those of the file: 10-20/A12-30/15-25; with a colon if the name of a "
    "chain is long or a digit: AA:12-30, 1:12-30."
)


@dataclass(frozen=True, eq=False)
class Motif:
    """The k residues of a structure around which chains are drawn, and how many others.

    Attributes
    ----------
    path:
        The file.
    spans:
        In the order of the chain: how many new residues, or how many of the motif, ``int``.
    contig:
        What was asked for.
    residues:
        What the file calls them.
    atoms:
        (k, 4, 3) N, CA, C and O in Å, where the file has them.
    types:
        (k,) amino acids (`moldiff.protein.backbone.LETTERS`).
    states:
        (k,) secondary structure in the file's whole chain (`moldiff.protein.secondary.STATES`).
    sides:
        The side chain of each, as far as the file has it.
    notes:
        What was chosen in reading the file, sentences for the user.
    """

    path: Path
    contig: str
    spans: tuple[Span | int, ...]
    residues: tuple[Residue, ...]
    atoms: npt.NDArray[np.float64]
    types: npt.NDArray[np.int64]
    states: npt.NDArray[np.int64]
    sides: tuple[tuple[SideAtom, ...], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.residues)

    @property
    def lengths(self) -> tuple[int, int]:
        """Residues of the shortest and of the longest chain."""
        ends = [(one, one) if isinstance(one, int) else one for one in self.spans]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    def layout(self, low: int, high: int, *, rng: torch.Generator) -> npt.NDArray[np.int64]:
        """Draw which residue of the motif is at each place of a chain, (n,); -1 for new ones.

        Raises
        ------
        InputError
            If chains of ``low`` to ``high`` residues cannot be, or hardly ever are.
        """
        for _ in range(_TRIES):
            counts = [
                -one if isinstance(one, int) else integer(*one, rng=rng) for one in self.spans
            ]
            new = sum(count for count in counts if count > 0)
            if new and low <= new + len(self) <= high:
                break
        else:
            least, most = self.lengths
            raise InputError(
                f"The contig makes chains of {spread(least, most)} residues, hardly ever of "
                f"{spread(low, high)}.",
                fix="Change the numbers of new residues, or --length.",
            )
        start, places = 0, []
        for count in counts:
            given = np.arange(start, start - count) if count < 0 else np.full(count, -1)
            start += len(given) if count < 0 else 0
            places.append(given)
        return np.concatenate(places).astype(np.int64)

    def described(self, layout: npt.NDArray[np.int64]) -> str:
        """Return where the pieces are: ``11-29=A:12-30``, numbered from 1."""
        start, pieces = 0, []
        for count in (one for one in self.spans if isinstance(one, int)):
            first = int(np.flatnonzero(layout == start)[0]) + 1
            ends = [place(self.residues[k]) for k in (start, start + count - 1)]
            new, old = (f"{first}-{first + count - 1}", f"{ends[0]}-{ends[1].partition(':')[2]}")
            pieces.append(f"{first}={ends[0]}" if count == 1 else f"{new}={old}")
            start += count
        return " ".join(pieces)


def motif_of(path: str | Path, contig: str) -> Motif:
    """Read the residues that a contig names from a structure file, PDB or mmCIF.

    Raises
    ------
    InputError
        If the contig cannot be read, the file lacks a residue of it, or the new residues between
        two pieces cannot span the distance.
    """
    path = Path(path)
    structure = read_contents(path).structure
    chains = trace(structure)
    if not chains.fragments:
        raise InputError(f"{path} holds no protein.", fix="Give a structure of a protein.")
    atoms = chains.completed()
    spans: list[Span | int] = []
    members: list[int] = []
    words = [word for word in re.split(r"[/,\s]+", contig.strip()) if word]
    for word in words:
        if found := _NEW.fullmatch(word):
            spans.append(_span(word, int(found["low"]), int(found["high"] or found["low"])))
        elif found := _GIVEN.fullmatch(word):
            own = _given(path, structure, chains, atoms, word, found)
            spans.append(len(own))
            members += own
        else:
            raise InputError(f"'{word}' is no part of a contig.", fix=_WRITE)
    _check(contig, spans, members, structure)
    spans = _spanned(spans, members, structure, atoms)
    return Motif(
        path,
        "/".join(words),
        tuple(spans),
        tuple(structure.residues[i] for i in members),
        atoms[members].astype(np.float64),
        chains.types[members],
        _states(chains, atoms)[members],
        tuple(_side(structure, i) for i in members),
        structure.notes,
    )


def spread(low: int, high: int) -> str:
    """Return a range in words: ``60 to 80``, or ``60``."""
    return f"{low}" if low == high else f"{low} to {high}"


def _span(word: str, low: int, high: int) -> Span:
    if high < low:
        raise InputError(f"'{word}' ends before it begins.", fix=f"Write {high}-{low}.")
    if high == 0:
        raise InputError(
            f"'{word}' is no residue: one chain is drawn, and chains are not broken.",
            fix=_WRITE,
        )
    return low, high


def _given(
    path: Path,
    structure: Structure,
    chains: Trace,
    atoms: npt.NDArray[np.float32],
    word: str,
    found: re.Match[str],
) -> list[int]:
    """The residues of one piece, which are bonded."""
    chain = found["chain"].rstrip(":")
    runs = chains.fragments.get(chain)
    if runs is None:
        raise InputError(
            f"{path} has no protein chain '{chain}' ({word}).",
            fix=did_you_mean(chain, list(chains.fragments)),
        )
    numbered = [(k, i) for k, members in enumerate(runs) for i in members]
    labels = {place(structure.residues[i]).partition(":")[2]: (k, i) for k, i in numbered[::-1]}
    ends = []
    for label in (found["first"], found["last"] or found["first"]):
        if label not in labels:
            there = ", ".join(_ranges(structure, runs))
            raise InputError(
                f"{path} has no protein residue {chain}:{label} ({word}).",
                fix=f"Chain {chain or '(blank)'} has {there}.",
            )
        ends.append(labels[label])
    (run, first), (other, last) = ends
    if run != other:
        raise InputError(
            f"Chain {chain} of {path} is broken between {found['first']} and {found['last']}.",
            fix="Give both pieces, with new residues between: A12-20/5-10/A26-30.",
        )
    if last < first:
        raise InputError(
            f"'{word}' ends before it begins.",
            fix=f"Write {found['chain']}{found['last']}-{found['first']}.",
        )
    own = [i for i in runs[run] if first <= i <= last]
    bare = [i for i in own if not np.isfinite(atoms[i]).all()]
    unknown = [i for i in own if chains.types[i] == UNKNOWN]
    if bare or unknown:
        strange = "has no N, CA or C" if bare else "is none of the twenty amino acids"
        raise InputError(
            f"{structure.residues[(bare or unknown)[0]]} of {path} {strange}, so it cannot be part "
            "of a motif.",
            fix="Leave it out of the contig, with new residues in its place.",
        )
    return own


def _ranges(structure: Structure, runs: Sequence[Sequence[int]]) -> list[str]:
    """The residues of bonded runs: ``12-30``."""
    ends = [[place(structure.residues[i]).partition(":")[2] for i in (r[0], r[-1])] for r in runs]
    return [f"{first}-{last}" for first, last in ends]


def _check(
    contig: str, spans: Sequence[Span | int], members: Sequence[int], structure: Structure
) -> None:
    """Refuse contigs without a motif or without new residues, and residues that come twice."""
    if not members or all(isinstance(one, int) for one in spans):
        what = "names no residue of the file" if not members else "has no new residues"
        raise InputError(f"The contig '{contig}' {what}.", fix=_WRITE)
    twice = [i for k, i in enumerate(members) if i in members[:k]]
    if twice:
        raise InputError(
            f"{structure.residues[twice[0]]} is in the contig twice.", fix="Name it once."
        )


def _spanned(
    spans: Sequence[Span | int],
    members: Sequence[int],
    structure: Structure,
    atoms: npt.NDArray[np.float32],
) -> list[Span | int]:
    """The spans, of which those between pieces are long enough for the distance."""
    merged: list[Span | int] = []
    for one in spans:  # 5/10-12 is 15-17
        if not isinstance(one, int) and merged and not isinstance(merged[-1], int):
            last = merged.pop()
            assert not isinstance(last, int)
            one = (last[0] + one[0], last[1] + one[1])
        merged.append(one)
    start = 0
    for k, (one, after) in enumerate(pairwise(merged)):
        start += one if isinstance(one, int) else 0
        if not 0 < start < len(members):
            continue
        ends = [structure.residues[i] for i in members[start - 1 : start + 1]]
        if isinstance(one, int) and isinstance(after, int):
            raise InputError(
                f"Nothing is between {ends[0]} and {ends[1]} in the contig.",
                fix="Write new residues between them, or one range if they are neighbours.",
            )
        if isinstance(one, int):
            continue
        a, b = atoms[list(members[start - 1 : start + 1]), 1]
        apart = float(np.linalg.norm(a - b))
        least = max(one[0], 1, int(np.ceil(apart / _STEP)) - 1)
        if least > one[1]:
            raise InputError(
                f"{one[1]} new residues cannot span the {apart:.1f} Å from {ends[0]} to {ends[1]}.",
                fix=f"Write {least} or more.",
            )
        merged[k] = (least, one[1])
    return merged


def _states(chains: Trace, atoms: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Secondary structure of all residues, each bonded run by itself."""
    states = np.full(len(atoms), COIL)
    for runs in chains.fragments.values():
        for run in runs:
            own = [i for i in run if np.isfinite(atoms[i]).all()]
            if len(own) > 1:
                states[own] = secondary(atoms[own])
    return states


def _side(structure: Structure, residue: int) -> tuple[SideAtom, ...]:
    """The heavy atoms of a side chain."""
    own = np.flatnonzero(structure.residue == residue).tolist()
    return tuple(
        SideAtom(
            structure.names[i],
            SYMBOLS[structure.numbers[i]],
            tuple(float(round(x, 3)) for x in structure.positions[i].tolist()),
        )
        for i in own
        if structure.names[i] not in (*BACKBONE, "OXT")
    )
