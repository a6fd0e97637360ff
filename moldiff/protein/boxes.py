"""Boxes to dock into: where the ligands of a structure are, and the cavities of its receptor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.protein.pocket import EDGE, Box, box_of
from moldiff.protein.receptor import Receptor
from moldiff.protein.sites import binding_sites, distinct
from moldiff.protein.structure import Structure

__all__ = ["Candidate", "boxes"]

_INSIDE = 5.0  # Å between a cavity's middle and an atom of what fills it


@dataclass(frozen=True, eq=False)
class Candidate:
    """A box to dock into, and what is there: a ligand, or a cavity."""

    box: Box
    what: str

    @property
    def kind(self) -> str:
        """What is there, in a word: "ligand" or "cavity"."""
        return self.what.split()[0]

    @property
    def place(self) -> dict[str, list[float]]:
        """The centre and the edges, three numbers each, in Å."""
        return {"center": _rounded(self.box.centre), "size": _rounded(self.box.size)}

    @property
    def options(self) -> str:
        """The options of ``moldiff dock`` that stand for the box."""
        centre, size = (_commas(v) for v in (self.box.centre, self.box.size))
        return f"--center={centre} --box-size {size}"


def boxes(
    structure: Structure, receptor: Receptor, ligands: Sequence[Sequence[int]]
) -> list[Candidate]:
    """Return where ligands are, then the cavities of what is kept, and which ligand lies in them.

    Of the copies of a cavity in the chains of an oligomer there is one, as `moldiff dock` has it.
    The ``ligands`` are residues of the structure, those of a molecule each.
    """
    places = {
        ", ".join(str(structure.residues[i]) for i in members): structure.positions[
            np.isin(structure.residue, list(members))
        ]
        for members in ligands
    }
    candidates = [
        Candidate(Box(atoms.mean(0), np.array([EDGE])), f"ligand {name}")
        for name, atoms in places.items()
    ]
    for rank, (site, copies) in enumerate(distinct(binding_sites(receptor.structure)), start=1):
        centres = [one.cavity.centre for one in (site, *copies)]
        inside = [name for name, atoms in places.items() if _fills(atoms, centres)]
        lies = "lies" if len(inside) == 1 else "lie"
        what = f"cavity {rank}" + (f", where {' and '.join(inside)} {lies}" if inside else "")
        if copies:
            others = "; ".join(_commas(np.round(centre, 1)) for centre in centres[1:])
            what += f"; copies of it are at {others}"
        candidates.append(Candidate(box_of(site), what))
    return candidates


def _fills(
    atoms: npt.NDArray[np.float32], centres: Sequence[npt.NDArray[np.floating[Any]]]
) -> bool:
    """Whether an atom is near the middle of a cavity or of one of its copies."""
    return any(np.linalg.norm(atoms - centre, axis=1).min() < _INSIDE for centre in centres)


def _commas(values: npt.NDArray[np.float32]) -> str:
    return ",".join(f"{value:g}" for value in _rounded(values))


def _rounded(values: npt.NDArray[np.float32]) -> list[float]:
    return [round(float(value), 3) + 0.0 for value in values]  # no -0
