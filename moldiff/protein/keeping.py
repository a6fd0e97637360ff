"""What of a structure file becomes the receptor, residue by residue, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.errors import InputError
from moldiff.protein.conformation import listed
from moldiff.protein.occupants import ligands
from moldiff.protein.residues import ADDITIVES
from moldiff.protein.selection import select
from moldiff.protein.structure import POLYMERS, Residue, Structure
from moldiff.text import several

__all__ = ["Fate", "fates", "is_additive", "notes_on"]

_HALOGENS, _HALIDES = (9, 17, 35, 53), ("F", "CL", "BR", "I", "IOD", "CLA", "IM")
_FEW = 8  # residues that a note names one by one
_KEPT = {
    "metal": "metal ions kept as part of the receptor",
    "cofactor": "groups (cofactors, ligands, sugars) kept as part of the receptor",
}


@dataclass(frozen=True)
class Fate:
    """Whether a residue is part of the receptor; ``why`` is empty for what needs no reason."""

    residue: Residue
    kept: bool
    why: str = ""


def fates(
    structure: Structure,
    *,
    waters: bool | float = False,
    additives: bool = False,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    leave: Mapping[int, str] = MappingProxyType({}),
) -> tuple[Fate, ...]:
    """Return what becomes of each residue; the parameters are those of `Contents.receptor`.

    Raises
    ------
    InputError
        What is to be left out or kept is not there, or no ligand that waters could be near.
    """
    residues = structure.residues
    excluded = {i for text in several(exclude) for i in select(residues, text, "leave out")}
    chosen = {i for text in several(keep) for i in select(residues, text, "keep")}
    leave = {i: why for i, why in leave.items() if i not in chosen}
    near: set[int] = set()
    if waters is not False and waters is not True:
        near = _near_ligands(structure, float(waters), leave)
    outcomes = []
    for i, residue in enumerate(residues):
        kept, why = True, "kept as asked" if i in chosen else ""
        if i in excluded:
            kept, why = False, "as asked"
        elif i in leave:
            kept, why = False, leave[i]
        elif residue.kind == "water" and i not in chosen:
            kept = waters is True or i in near
            why = f"within {waters:g} Å of a ligand" if i in near else "" if kept else "water"
        elif is_additive(residue, structure, i) and i not in chosen and not additives:
            kept, why = False, "additive"
        outcomes.append(Fate(residue, kept, why))
    return tuple(outcomes)


def _near_ligands(structure: Structure, reach: float, leave: Mapping[int, str]) -> set[int]:
    """The waters within ``reach`` Å of a ligand, of those left out or of any other."""
    members = {i for whole in ligands(structure) for i in whole} | set(leave)
    atoms = np.isin(structure.residue, list(members))
    if not atoms.any():
        raise InputError(
            f"The receptor has no ligand that waters could be within {reach:g} Å of.",
            fix="Keep them by name (--keep HOH), one by one (--keep A:1023), or --waters all.",
        )
    far, _ = cKDTree(structure.positions[atoms]).query(structure.positions)
    water = structure.of_kind("water")
    return set(structure.residue[(far <= reach) & water].tolist())


def notes_on(outcomes: Sequence[Fate]) -> list[str]:
    """Return notes on what goes, and on what of the groups stays."""
    gone: dict[str, list[Residue]] = {}
    for fate in outcomes:
        if not fate.kept:
            gone.setdefault(_heading(fate), []).append(fate.residue)
    order = sorted(gone, key=lambda what: (what != "left out as asked", "s left" in what))
    notes = [f"{what}: {_named(gone[what])}" for what in order]
    for kind, what in _KEPT.items():
        names = [str(fate.residue) for fate in outcomes if fate.kept and fate.residue.kind == kind]
        if names:
            notes.append(f"{what}: {listed(names)}")
    if waters := sum(fate.kept and fate.residue.kind == "water" for fate in outcomes):
        notes.append(f"waters kept as part of the receptor: {waters}")
    return notes


def _heading(fate: Fate) -> str:
    if fate.why in ("water", "additive"):
        return f"{fate.why}s left out"
    return f"left out {fate.why}" if fate.why == "as asked" else f"left out, {fate.why}"


def _named(members: Sequence[Residue]) -> str:
    """Residues for a note: the number of waters, all of a few, or how many of each name."""
    if all(residue.kind == "water" for residue in members):
        return f"{len(members)}"
    if len(members) <= _FEW:
        return ", ".join(map(str, members))
    return listed([f"{name} x{n}" for name, n in Counter(r.name for r in members).items()])


def is_additive(residue: Residue, structure: Structure, index: int) -> bool:
    """Whether a group is there for the sake of the experiment: a buffer, a halide."""
    if residue.kind in (*POLYMERS, "water"):
        return False
    if residue.name in ADDITIVES:
        return True
    if residue.name.strip("+-0123456789").upper() not in _HALIDES:
        return False
    numbers: npt.NDArray[np.int16] = structure.numbers[structure.residue == index]
    return len(numbers) == 1 and int(numbers[0]) in _HALOGENS
