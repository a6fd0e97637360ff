"""The chains of a structure as backbones: atoms of residues, and where a chain is broken."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from moldiff.protein.backbone import LETTERS, UNKNOWN, end_oxygens, oxygens
from moldiff.protein.residues import BACKBONE
from moldiff.protein.sequence import letter
from moldiff.protein.structure import Structure

__all__ = ["Trace", "trace"]

_BROKEN = 2.5  # Å: C and N of neighbours farther apart than this are not bonded
_BROKEN_TRACE = 4.5  # Å: the same for two CA


@dataclass(frozen=True, eq=False)
class Trace:
    """The backbone of a structure of r residues of any kind.

    Attributes
    ----------
    atoms:
        (r, 4, 3) float32, N, CA, C and O in Å; NaN where there is none.
    types:
        (r,) int64 amino acids (`moldiff.protein.backbone.LETTERS`), or `UNKNOWN`.
    fragments:
        For each chain its protein residues in the order of the file, in runs that are bonded.
    """

    atoms: npt.NDArray[np.float32]
    types: npt.NDArray[np.int64]
    fragments: dict[str, list[list[int]]]

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """(r,) which residues have all four atoms."""
        return np.asarray(np.isfinite(self.atoms).all((1, 2)), dtype=bool)

    def completed(self) -> npt.NDArray[np.float32]:
        """Return the atoms (r, 4, 3); O of residues with N, CA and C by rule where there is none.

        It is in the plane of the peptide, or opposite to N where no residue follows.
        """
        atoms = self.atoms.copy()
        bare = np.isfinite(atoms[:, :3]).all((1, 2)) & ~np.isfinite(atoms[:, 3]).all(1)
        following = {
            i: j for runs in self.fragments.values() for run in runs for i, j in pairwise(run)
        }
        for i in np.flatnonzero(bare).tolist():
            after = atoms[following[i], 0] if i in following else np.full(3, np.nan)
            known = np.isfinite(after).all()
            atoms[i, 3] = oxygens(atoms[i, :3], after) if known else end_oxygens(atoms[i, :3])
        return atoms


def trace(structure: Structure) -> Trace:
    """Return the backbone of a structure."""
    count = len(structure.residues)
    atoms = np.full((count, 4, 3), np.nan, np.float32)
    place = {name: k for k, name in enumerate(BACKBONE)}
    rows = zip(structure.names, structure.residue.tolist(), structure.positions, strict=True)
    for name, residue, x in rows:
        if name in place:
            atoms[residue, place[name]] = x
    letters = [letter(residue.name) for residue in structure.residues]
    types = np.array([LETTERS.find(one) if one in LETTERS else UNKNOWN for one in letters])
    chains: dict[str, list[int]] = {}
    for i, residue in enumerate(structure.residues):
        if residue.kind == "protein" and np.isfinite(atoms[i, 1]).all():
            chains.setdefault(residue.chain, []).append(i)
    fragments = {chain: _runs(members, atoms) for chain, members in chains.items()}
    return Trace(atoms, types.astype(np.int64), fragments)


def _runs(members: list[int], atoms: npt.NDArray[np.float32]) -> list[list[int]]:
    """Residues in runs that are bonded."""
    runs = [[members[0]]]
    for i, j in pairwise(members):
        if _bonded(atoms[i], atoms[j]):
            runs[-1].append(j)
        else:
            runs.append([j])
    return runs


def _bonded(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> bool:
    peptide = float(np.linalg.norm(a[2] - b[0]))
    if np.isfinite(peptide):
        return peptide <= _BROKEN
    return float(np.linalg.norm(a[1] - b[1])) <= _BROKEN_TRACE
