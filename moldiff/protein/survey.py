"""What a structure lacks: residues, atoms, density.  Everything here ends up in its notes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from moldiff.protein.conformation import listed
from moldiff.protein.records import Missing
from moldiff.protein.residues import BACKBONE, TEMPLATES, standard_name
from moldiff.protein.structure import Residue, Structure, in_chain
from moldiff.protein.trace import trace
from moldiff.text import counted

__all__ = ["survey"]

_SAME_NAME = {"CD": "CD1", "OT1": "O", "O1": "O"}  # names other programs use


def survey(
    structure: Structure, occupancy: npt.NDArray[np.float32], missing: Sequence[Missing]
) -> list[str]:
    """Return notes on missing residues and atoms, chain breaks and zero occupancies.

    Parameters
    ----------
    structure:
        The atoms kept.
    occupancy:
        Their occupancies, (m,).
    missing:
        The residues the file itself lists as missing.
    """
    protein = [i for i, r in enumerate(structure.residues) if r.kind == "protein"]
    members: dict[int, dict[str, int]] = defaultdict(dict)
    for atom, (name, residue) in enumerate(
        zip(structure.names, structure.residue.tolist(), strict=True)
    ):
        members[residue].setdefault(name, atom)
    notes = []
    if not any(r.kind in ("protein", "nucleic") for r in structure.residues):
        notes.append("there is neither protein nor nucleic acid in this structure")
    traces = sum(set(members[i]) == {"CA"} for i in protein)
    if protein and traces > 0.5 * len(protein):
        notes.append(
            f"{traces} of {len(protein)} residues have a C-alpha atom only: without side chains "
            "docking energies mean little"
        )
    else:
        notes += _incomplete(structure, protein, members)
    if missing:
        notes.append(
            f"{counted(len(missing), 'residue')} not seen in the experiment: {_ranges(missing)}"
        )
    else:
        notes += _breaks(structure)
    if (occupancy <= 0).any():
        notes.append(f"{(occupancy <= 0).sum()} atoms of zero occupancy kept")
    return notes


def _incomplete(
    structure: Structure, protein: Sequence[int], members: dict[int, dict[str, int]]
) -> list[str]:
    """Standard residues that lack heavy atoms of their templates."""
    residues = []
    for i in protein:
        residue = structure.residues[i]
        template = TEMPLATES.get(standard_name(residue.name))
        if template is None:
            continue
        there = {_SAME_NAME.get(name, name) for name in members[i]} | set(members[i])
        absent = [name for name in (*BACKBONE, *template) if name not in there]
        if absent:
            residues.append(f"{residue} ({' '.join(absent)})")
    lack = "residue lacks" if len(residues) == 1 else "residues lack"
    return [f"{len(residues)} {lack} atoms: {listed(residues, 6)}"] if residues else []


def _ranges(missing: Sequence[Missing]) -> str:
    """Missing residues as ranges of their chains."""
    texts = []
    start = last = missing[0]
    for residue in (*missing[1:], None):
        if residue and residue.chain == last.chain and 0 <= residue.number - last.number <= 1:
            last = residue
            continue
        first, end = (f"{r.number}{r.insertion}" for r in (start, last))
        texts.append(in_chain(start.chain, first) + (f"-{end}" if end != first else ""))
        if residue:
            start = last = residue
    return listed(texts, 10)


def _breaks(structure: Structure) -> list[str]:
    """Neighbours in a chain that are not bonded; most often residues are missing there."""
    breaks = [
        _break(structure.residues[a[-1]], structure.residues[b[0]])
        for fragments in trace(structure).fragments.values()
        for a, b in pairwise(fragments)
    ]
    return [f"{counted(len(breaks), 'chain break')}: {listed(breaks, 10)}"] if breaks else []


def _break(a: Residue, b: Residue) -> str:
    """Describe one chain break."""
    count = b.number - a.number - 1
    ends = in_chain(a.chain, f"{a.number}{a.insertion}-{b.number}{b.insertion}")
    return ends + (f" ({counted(count, 'residue')} missing in the numbering)" if count > 0 else "")
