"""Is a part kept? Anybody's molecules, by substructure and superposition; indices are not trusted.

A molecule has the part if its heavy atoms have a place in the molecule's graph with the same
elements, charges and bonds (aromatic bonds as such, or the same Kekulé structure).  Of all places
the one with the same stereochemistry and the least RMSD counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.handedness import same_stereo
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.errors import InputError
from moldiff.geometry.arrays import superposed_rmsd
from moldiff.metrics.value import Value, bootstrap, rate

__all__ = ["LABELS", "Found", "Kept", "find", "kept", "part_of"]

_PLACES = 1000  # places of the part that are looked at
_STILL = 0.01  # Å: less is no displacement, for files have few decimals

Kept: TypeAlias = Mapping[str, Value]

#: Result -> label, unit.
LABELS = {
    "part": ("Part kept", "rate"),
    "stereo": ("Stereo same, of those with the part", "rate"),
    "rmsd": ("RMSD of the part, superposed, median", "Å"),
    "in_place": ("Part in its place within 0.01 Å, of those with the part", "rate"),
}


@dataclass(frozen=True)
class Found:
    """Where a molecule has a part.

    Attributes
    ----------
    atoms:
        The molecule's atom for each heavy atom of the part.
    stereo:
        Whether stereochemistry is the same; None without any, or without coordinates.
    rmsd, displacement:
        Of its heavy atoms in Å: RMSD after superposition without reflection, and the largest
        distance without superposition; None without coordinates.
    """

    atoms: tuple[int, ...]
    stereo: bool | None = None
    rmsd: float | None = None
    displacement: float | None = None


def part_of(molecules: Sequence[Chem.Mol]) -> Chem.Mol:
    """Return a part to look for, of one molecule or of fragments; dummy atoms are left out.

    Raises
    ------
    InputError
        If it cannot be sanitised, or has no heavy atoms.
    """
    together = Chem.Mol()
    for mol in molecules:
        together = Chem.CombineMols(together, mol) if together.GetNumAtoms() else Chem.Mol(mol)
    clean = sanitised(together)
    if clean is None or not any(atom.GetAtomicNum() > 1 for atom in clean.GetAtoms()):
        raise InputError(
            "The part to look for is no molecule that RDKit can sanitise.",
            fix="Check its bonds and charges.",
        )
    return clean


def find(mol: Chem.Mol | None, part: Chem.Mol) -> Found | None:
    """Return where a molecule has a part of `part_of`; None if it has not."""
    clean = sanitised(mol)
    if clean is None:
        return None
    heavy = [atom.GetIdx() for atom in part.GetAtoms() if atom.GetAtomicNum() > 1]
    posed = [m.GetNumConformers() and m.GetConformer().Is3D() for m in (clean, part)]
    matches = [
        _measured(clean, part, dict(zip(heavy, place, strict=True)), all(posed))
        for place in _places(clean, part, heavy)
    ]
    return min(matches, key=lambda one: (one.stereo is False, one.rmsd or 0.0), default=None)


def kept(molecules: Sequence[Chem.Mol | None], part: Chem.Mol) -> Kept:
    """Return shares and distances over molecules; keys as `LABELS`."""
    matches = [find(mol, part) for mol in molecules]
    places = [one for one in matches if one is not None]
    stereo = [one.stereo for one in places if one.stereo is not None]
    rmsds = np.array([one.rmsd for one in places if one.rmsd is not None])
    moved = [one.displacement for one in places if one.displacement is not None]
    none = "no molecule has the part in three dimensions"
    return {
        "part": rate(len(places), len(matches)),
        "stereo": rate(sum(stereo), len(stereo), "the part has no stereochemistry, or none has it"),
        "rmsd": bootstrap(rmsds, lambda rows: float(np.median(rows)), none),
        "in_place": rate(sum(d <= _STILL for d in moved), len(moved), none),
    }


def _places(mol: Chem.Mol, part: Chem.Mol, heavy: Sequence[int]) -> list[tuple[int, ...]]:
    """Atoms of the molecule for the part's heavy atoms: aromatic bonds as such, or kekulised."""
    settings = {"uniquify": False, "maxMatches": _PLACES}
    places = mol.GetSubstructMatches(_skeleton(part, heavy), **settings)
    if not places:
        whole, piece = Chem.Mol(mol), Chem.Mol(part)
        with quiet():
            for one in (whole, piece):
                Chem.Kekulize(one, clearAromaticFlags=True)
        places = whole.GetSubstructMatches(_skeleton(piece, heavy), **settings)
    charges = [part.GetAtomWithIdx(i).GetFormalCharge() for i in heavy]
    return [
        place
        for place in places
        if [mol.GetAtomWithIdx(i).GetFormalCharge() for i in place] == charges
    ]


def _skeleton(part: Chem.Mol, heavy: Sequence[int]) -> Chem.Mol:
    """The heavy atoms as a pattern: elements and bonds, no hydrogens."""
    pattern = Chem.RWMol(part)
    pattern.BeginBatchEdit()
    for atom in pattern.GetAtoms():
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        if atom.GetIdx() not in heavy:
            pattern.RemoveAtom(atom.GetIdx())
    pattern.CommitBatchEdit()
    return pattern.GetMol()


def _measured(mol: Chem.Mol, part: Chem.Mol, place: Mapping[int, int], posed: bool) -> Found:
    atoms = tuple(place.values())
    if not posed:
        return Found(atoms)
    x, y = _of(mol, list(atoms)), _of(part, list(place))
    rmsd = float(superposed_rmsd(x, y))
    moved = float(np.linalg.norm(x - y, axis=1).max())
    return Found(atoms, same_stereo(part, mol, place), rmsd, moved)


def _of(mol: Chem.Mol, atoms: list[int]) -> npt.NDArray[np.float64]:
    return np.asarray(mol.GetConformer().GetPositions()[atoms])
