"""What is known about missing residues: the gap for the model, or why they cannot be built."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moldiff.domain.backbones import NEIGHBOURS
from moldiff.protein.absent import Absent, Gaps
from moldiff.protein.backbone import LETTERS
from moldiff.protein.gap import FLANK, Gap
from moldiff.protein.residues import BACKBONE, TEMPLATES, standard_name
from moldiff.protein.selection import place
from moldiff.protein.structure import Structure, in_chain
from moldiff.protein.trace import Trace
from moldiff.text import counted

__all__ = ["gap_of", "why_not"]

_STEP, _SLACK = 3.8, 0.2  # Å from a C-alpha to the next; beyond all of them stretched
_SAME_PLACE = 1.0  # Å: C-alpha of two chains this near lie on each other
_ELSEWHERE = 10_000  # places of other chains begin here

Array = npt.NDArray[np.float32]


def why_not(structure: Structure, trace: Trace, absent: Absent, longest: int) -> str | None:
    """Return why missing residues cannot be built; None if nothing speaks against it."""
    n = len(absent)
    if n > longest:
        return f"too long: {counted(n, 'residue')}, at most {longest} are built"
    strange = [name for name in absent.names if standard_name(name) not in TEMPLATES]
    if strange:
        return f"{', '.join(dict.fromkeys(strange))}: modified or unknown, not of the twenty"
    taken = {
        (residue.number, residue.insertion)
        for i, residue in enumerate(structure.residues)
        if residue.chain == absent.chain and residue.kind == "protein" and i not in absent.replaced
    }
    if met := taken & set(absent.labels):
        number, code = min(met)
        return f"no free number: {in_chain(absent.chain, f'{number}{code}')} is there already"
    for i in (absent.before, absent.after):
        lacks = [
            name
            for name, x in zip(BACKBONE, trace.atoms[i], strict=True)
            if not np.isfinite(x).all()
        ]
        if len(lacks) == len(BACKBONE) - 1:
            return f"only C-alpha atoms: {structure.residues[i]} has nothing to bond to"
        if lacks:
            return f"{structure.residues[i]}, at its end, lacks {' '.join(lacks)}"
    ca = trace.atoms[[absent.before, absent.after], 1]
    far, span = float(np.linalg.norm(ca[1] - ca[0])), _STEP * (n + 1)
    if far > span + _SLACK:
        return (
            f"its ends are {far:.1f} Å apart, {counted(n, 'residue')} can span {span:.1f} Å at most"
        )
    return _overlapping(structure, trace, absent)


def _overlapping(structure: Structure, trace: Trace, absent: Absent) -> str | None:
    """Why the residues cannot be built where another chain lies on their own."""
    for i in (absent.before, absent.after):
        near = np.linalg.norm(trace.atoms[:, 1] - trace.atoms[i, 1], axis=1) < _SAME_PLACE
        for j in np.flatnonzero(near).tolist():
            if j != i:
                return f"{place(structure.residues[j])} lies on {place(structure.residues[i])}"
    return None


def gap_of(structure: Structure, trace: Trace, gaps: Gaps, absent: Absent) -> Gap:
    """Return missing residues with the residues around them, other chains' too."""
    types = [LETTERS.index(one) for one in absent.letters]
    usable = trace.whole & np.array([r.kind == "protein" for r in structure.residues])
    usable[list(absent.replaced)] = False
    usable[[absent.before, absent.after]] = False
    chain = [i for fragment in trace.fragments[absent.chain] for i in fragment]
    first, last = chain.index(absent.before), chain.index(absent.after)
    outer = [chain[k] for k in (first - 1, last + 1) if 0 <= k < len(chain) and usable[chain[k]]]
    ca = trace.atoms[:, 1]
    # As in `moldiff.protein.gap.cut`: what a chain between the anchors can reach.
    distance = sum(np.linalg.norm(ca - ca[i], axis=1) for i in (absent.before, absent.after))
    order = np.argsort(np.where(usable, distance, np.inf), kind="stable")
    others = [i for i in order.tolist() if usable[i] and i not in outer]
    # The anchors stand second and third; at the end of a chain something else stands beside.
    outer += others[: FLANK - len(outer)]
    others = [i for i in others if i not in outer]
    chosen = [*outer[:1], absent.before, absent.after, *outer[1:], *others]
    chosen = chosen[:NEIGHBOURS]
    places = np.where(gaps.places >= 0, gaps.places, np.arange(len(gaps.places))) - absent.place
    away = [structure.residues[i].chain != absent.chain for i in chosen]
    shift = np.where(away, _ELSEWHERE + np.array(chosen), 0)
    return Gap(
        np.array(types, dtype=np.int64),
        trace.atoms[chosen],
        trace.types[chosen],
        np.where(away, shift, places[chosen]).astype(np.int64),
    )
