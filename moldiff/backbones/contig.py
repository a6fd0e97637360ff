"""Contigs: how a motif and new residues follow one another in a chain.

What is drawn is said in the notation of RFdiffusion (Watson et al., Nature 620 (2023) 1089):
``10-20/A12-30/15-25`` is 10 to 20 new residues, residues 12 to 30 of chain A, and 15 to 25 new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.backbones.motif import Motif, Span
from moldiff.errors import InputError, did_you_mean
from moldiff.protein.backbone import UNKNOWN
from moldiff.protein.elements import SYMBOLS
from moldiff.protein.read import read_contents
from moldiff.protein.residues import BACKBONE
from moldiff.protein.secondary import COIL, secondary
from moldiff.protein.selection import between, place
from moldiff.protein.structure import Structure, in_chain
from moldiff.protein.trace import Trace, trace
from moldiff.protein.write import SideAtom

__all__ = ["motif_around", "motif_of"]

_NEW = re.compile(r"(?P<low>\d+)(?:-(?P<high>\d+))?")
_GIVEN = re.compile(
    r"(?P<chain>[^:]*:|[A-Za-z])(?P<first>-?\d+[A-Za-z]?)(?:-(?P<last>-?\d+[A-Za-z]?))?"
)
_STEP = 3.4  # Å that a residue spans at most: fully stretched 3.8, which hardly any is
_WRITE = (
    "Write new residues and those of the file: 10-20/A12-30/15-25; with a colon if the name of a "
    "chain is long or a digit: AA:12-30, 1:12-30."
)


def motif_around(
    file: str | Path | None, contig: str | None, like: str | Path | None
) -> Motif | None:
    """Return the motif that is asked for, if one is.

    Raises
    ------
    InputError
        As `motif_of`; or if something is missing, or a chain to begin with is given as well.
    """
    if (file is None) != (contig is None):
        given, lacking = ("contig", "file") if file is None else ("file", "contig")
        raise InputError(
            f"A motif needs a file and a contig; there is a {given} and no {lacking}.",
            fix="Give both: --motif 1abc.pdb --contig 10-20/A12-30/15-25.",
        )
    if file is None or contig is None:
        return None
    if like is not None:
        raise InputError(
            "A chain to begin with and a motif cannot both be given.",
            fix="Choose --like, or --motif and --contig.",
        )
    return motif_of(file, contig)


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
        if match := _NEW.fullmatch(word):
            spans.append(_span(word, int(match["low"]), int(match["high"] or match["low"])))
        elif match := _GIVEN.fullmatch(word):
            own = _given(path, structure, chains, atoms, word, match)
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
    match: re.Match[str],
) -> list[int]:
    """The residues of one piece, which are bonded."""
    chain = match["chain"].rstrip(":")
    runs = chains.fragments.get(chain)
    if runs is None:
        raise InputError(
            f"{path} has no protein chain '{chain}' ({word}).",
            fix=did_you_mean(chain, list(chains.fragments)),
        )
    members = [i for run in runs for i in run]
    residues = [structure.residues[i] for i in members]
    chosen = between(residues, match["first"], match["last"] or match["first"])
    if isinstance(chosen, str):
        raise InputError(
            f"{path} has no protein residue {in_chain(chain, chosen)} ({word}).",
            fix=f"Chain {chain or '(blank)'} has {', '.join(_ranges(structure, runs))}.",
        )
    if not chosen:
        raise InputError(
            f"'{word}' ends before it begins.",
            fix=f"Write {match['chain']}{match['last']}-{match['first']}.",
        )
    own = [members[k] for k in chosen]
    if not any(set(own) <= set(run) for run in runs):
        raise InputError(
            f"Chain {chain} of {path} is broken between {match['first']} and {match['last']}.",
            fix="Give both pieces, with new residues between: A12-20/5-10/A26-30.",
        )
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
    ends = [[place(structure.residues[i]).rpartition(":")[2] for i in (r[0], r[-1])] for r in runs]
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
