"""From whatever a file holds to a ligand that can be docked, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from moldiff.chem.protonate import protonate
from moldiff.chem.quiet import quiet

__all__ = ["ELEMENTS", "MAX_HEAVY_ATOMS", "PH", "Ligand", "prepare_ligand"]

MAX_HEAVY_ATOMS = 100
"""Ligands beyond this are refused: peptides and lipids no rigid-pocket search can place."""

PH = 7.4
"""The one pH the protonation rules are written for."""

ELEMENTS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53})
"""Atomic numbers a ligand may hold: H B C N O F Si P S Cl Se Br I."""


@dataclass(frozen=True, eq=False)
class Ligand:
    """A sanitised molecule of one fragment.

    Attributes
    ----------
    mol:
        Atoms in the input's order, with the hydrogens the input has, stereo perceived (from 3D
        coordinates where there are any).
    name:
        The molecule's title; may be empty.
    notes:
        What was changed or is doubtful, one sentence each.
    """

    mol: Chem.Mol
    name: str
    notes: tuple[str, ...] = ()


def prepare_ligand(mol: Chem.Mol | None, *, ph: float | None = None) -> Ligand | str:
    """Prepare a molecule, sanitised or not, for docking.

    Of a salt or mixture the largest fragment is kept.  With ``ph=None`` the protonation is the
    input's; with 7.4 the rules of `moldiff.chem.protonate` decide.

    Returns
    -------
    Ligand or str
        Or the reason why it cannot be docked.

    Raises
    ------
    ValueError
        For another pH, for which there are no rules.
    """
    if ph is not None and ph != PH:
        raise ValueError(
            f"ph is {ph:g}; there are rules for {PH:g} only, or None to keep the input"
        )
    if mol is None or mol.GetNumAtoms() == 0:
        return "empty molecule"
    name = mol.GetProp("_Name").strip() if mol.HasProp("_Name") else ""
    with quiet():
        clean = _sanitised(mol)
        if isinstance(clean, str):
            return clean
        clean, notes = _largest(clean)
        reason = _refusal(clean)
        if reason is not None:
            return reason
        if ph is not None:
            clean = protonate(clean)
        unspecified = [
            s
            for s in Chem.FindPotentialStereo(clean)
            if s.specified == Chem.StereoSpecified.Unspecified
        ]
    if unspecified:
        notes.append(f"{len(unspecified)} unspecified stereo centres or bonds: conformers choose")
    return Ligand(clean, name, tuple(notes))


def _sanitised(mol: Chem.Mol) -> Chem.Mol | str:
    copy = Chem.Mol(mol)
    copy.UpdatePropertyCache(strict=False)
    _charge_crowded_nitrogen(copy)
    try:
        Chem.SanitizeMol(copy)
    except (ValueError, RuntimeError) as error:
        return f"cannot be sanitised: {str(error).strip()}"
    if not copy.GetNumConformers():
        Chem.AssignStereochemistry(copy, cleanIt=True, force=True)
        return copy
    x = copy.GetConformer().GetPositions()
    if not np.isfinite(x).all():
        copy.RemoveAllConformers()
    elif np.ptp(x[:, 2]) > 1e-3:
        copy.GetConformer().Set3D(True)
        Chem.AssignStereochemistryFrom3D(copy)
    else:
        Chem.AssignChiralTypesFromBondDirs(copy)
        Chem.DetectBondStereochemistry(copy)
        Chem.AssignStereochemistry(copy, cleanIt=True, force=True)
    return copy


def _charge_crowded_nitrogen(mol: Chem.Mol) -> None:
    """Nitrogen of four single bonds without its charge, as many MOL2 files have it."""
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 7 and atom.GetFormalCharge() == 0:
            single = all(b.GetBondType() == Chem.BondType.SINGLE for b in atom.GetBonds())
            if single and atom.GetDegree() == 4:
                atom.SetFormalCharge(1)


def _largest(mol: Chem.Mol) -> tuple[Chem.Mol, list[str]]:
    fragments = Chem.GetMolFrags(mol, asMols=True, sanitizeFrags=False)
    if len(fragments) == 1:
        return mol, []
    kept = max(fragments, key=lambda f: (f.GetNumHeavyAtoms(), f.GetNumAtoms()))
    Chem.SanitizeMol(kept)
    others = [Chem.MolToSmiles(f) for f in fragments if f is not kept]
    return kept, [f"largest of {len(fragments)} fragments kept, left out: {', '.join(others)}"]


def _refusal(mol: Chem.Mol) -> str | None:
    heavy = mol.GetNumHeavyAtoms()
    if heavy == 0:
        return "no heavy atoms"
    if heavy > MAX_HEAVY_ATOMS:
        return f"too large: {heavy} heavy atoms, at most {MAX_HEAVY_ATOMS}"
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() not in ELEMENTS:
            return f"unsupported element: {atom.GetSymbol()} (atom {atom.GetIdx() + 1})"
    return None
